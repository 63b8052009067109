internal import Glibc

exit(CompactTool.run(arguments: CommandLine.arguments))
