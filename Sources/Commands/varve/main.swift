internal import Glibc
internal import Server

var environment: [String: String] = [:]
var variable = environ
while let entry = variable.pointee {
    let text = String(cString: entry)
    let name = text.prefix { $0 != "=" }
    environment[String(name)] = String(text.dropFirst(name.count + 1))
    variable += 1
}
exit(CommandLineTool.run(arguments: CommandLine.arguments, environment: environment))
