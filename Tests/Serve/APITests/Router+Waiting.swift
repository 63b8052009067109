import API
import HTTP
import Scheduling

extension Router {
    /// The response, once it is there.
    func respond(to request: HTTPRequest, connection: HTTPConnectionState) -> HTTPResponse {
        let answer = Monitor<HTTPResponse?>(nil)
        respond(to: request, connection: connection) { response in answer.notifying { $0 = response } }
        return answer.wait(until: { $0 }) ?? .text("no answer", status: 500)
    }
}
