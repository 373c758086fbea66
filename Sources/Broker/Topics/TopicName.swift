/// Kafka's rule for topic names: 1 to 249 characters of `[a-zA-Z0-9._-]`, and neither "." nor "..".
enum TopicName {
    static let lengthMax = 249

    static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...lengthMax).contains(bytes.count), name != ".", name != ".." else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                return true
            default:
                return false
            }
        }
    }
}
