internal import Glibc
internal import Server

var environment: [String: String] = [:]
var variable = unsafe environ
while let entry = unsafe variable.pointee {
    let text = unsafe String(cString: entry)
    let name = text.prefix { $0 != "=" }
    environment[String(name)] = String(text.dropFirst(name.count + 1))
    unsafe variable += 1
}
exit(CommandLineTool.run(arguments: CommandLine.arguments, environment: environment))
