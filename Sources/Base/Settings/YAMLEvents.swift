private import CYAML

/// The events of a YAML text, as libyaml tells them. Aliases are refused: nothing here grows beyond its text.
@safe struct YAMLEvents: ~Copyable {
    enum Event {
        case scalar(String, line: Int)
        case beginMapping(line: Int)
        case endMapping
        case beginList(line: Int)
        case endList
        case other
        case end
        case failure(String, line: Int)
    }

    private let parser: UnsafeMutablePointer<yaml_parser_t>

    /// - Parameter bytes: must outlive the events.
    /// - Returns: nil if there is no memory to read it.
    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        unsafe parser = .allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            return nil
        }
        unsafe yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
    }

    /// Lines count from one.
    mutating func next() -> Event {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else {
            let message = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "not valid YAML"
            return unsafe .failure(message, line: Int(clamping: parser.pointee.problem_mark.line) + 1)
        }
        defer { unsafe yaml_event_delete(&event) }
        let line = unsafe Int(clamping: event.start_mark.line) + 1
        switch unsafe event.type {
        case YAML_STREAM_END_EVENT: return .end
        case YAML_MAPPING_START_EVENT: return .beginMapping(line: line)
        case YAML_MAPPING_END_EVENT: return .endMapping
        case YAML_SEQUENCE_START_EVENT: return .beginList(line: line)
        case YAML_SEQUENCE_END_EVENT: return .endList
        case YAML_ALIAS_EVENT: return .failure("aliases are not supported", line: line)
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return unsafe .scalar(String(decoding: bytes, as: UTF8.self), line: line)
        default: return .other
        }
    }
}
