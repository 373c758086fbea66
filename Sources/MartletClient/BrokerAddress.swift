/// Where a broker listens.
public struct BrokerAddress: Hashable, Sendable {
    /// A host name or an IP address; an IPv6 address without brackets.
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Kafka's port.
    public static let defaultPort = 9092
}

extension BrokerAddress: LosslessStringConvertible {
    /// Reads `host`, `host:port`, `[v6 address]:port` or a bare v6 address. Nil for an empty host or a port that is
    /// not between 1 and 65535.
    public init?(_ text: String) {
        guard let (host, portText) = Self.split(text), !host.isEmpty else { return nil }
        guard let portText else {
            self.init(host: host, port: Self.defaultPort)
            return
        }
        guard let port = UInt16(portText), port > 0 else { return nil }
        self.init(host: host, port: Int(port))
    }

    private static func split(_ text: String) -> (host: String, port: Substring?)? {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            if rest.isEmpty { return (host, nil) }
            return rest.hasPrefix(":") ? (host, rest.dropFirst()) : nil
        }
        guard let colon = text.lastIndex(of: ":") else { return (text, nil) }
        // More than one colon and no brackets: an IPv6 address alone.
        if text.firstIndex(of: ":") != colon { return (text, nil) }
        return (String(text[..<colon]), text[text.index(after: colon)...])
    }

    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Reads a list as Kafka's `bootstrap.servers` has it: addresses separated by commas. Nil if one of them is none.
    public static func list(_ text: String) -> [BrokerAddress]? {
        var addresses: [BrokerAddress] = []
        for part in text.split(separator: ",") {
            guard let address = BrokerAddress(String(part.trimmingSpaces)) else { return nil }
            addresses.append(address)
        }
        return addresses.isEmpty ? nil : addresses
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var rest = drop(while: { $0 == " " })
        while rest.last == " " { rest.removeLast() }
        return rest
    }
}
