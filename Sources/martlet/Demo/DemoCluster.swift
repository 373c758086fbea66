import ArgumentParser
import Foundation
import MartletClient
import SegmentLog

/// The demo's three brokers, each a process of its own on loopback.
///
/// Owner: the demo's story, one task.
final class DemoCluster {
    let directory: String
    let brokers: [BrokerProcess]

    init(directory: String) throws {
        self.directory = directory
        guard !FileManager.default.fileExists(atPath: directory) else {
            throw ValidationError("\(directory) exists already; remove it, or choose another with --directory")
        }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let ports = try Self.freePorts(6)
        let members = (1...3).map { "\($0)=127.0.0.1:\(ports[2 + $0])" }.joined(separator: ",")
        brokers = (1...3).map { id in
            BrokerProcess(id: id, port: ports[id - 1], peerPort: ports[2 + id], cluster: members, directory: directory)
        }
    }

    var client: KafkaClientConfiguration {
        KafkaClientConfiguration(bootstrapServers: brokers.map { BrokerAddress(host: "127.0.0.1", port: $0.port) })
    }

    func start() throws {
        for broker in brokers { try broker.start() }
    }

    func stop() {
        for broker in brokers { broker.stop() }
    }

    func tearDown(keep: Bool) {
        for broker in brokers { broker.kill() }
        if !keep { try? FileManager.default.removeItem(atPath: directory) }
    }

    func printLogs() {
        for broker in brokers { DemoConsole.line("--- broker \(broker.id):\n\(broker.lastLogLines(15))") }
    }

    // MARK: The logs on disk

    func inspector(_ broker: BrokerProcess) -> LogInspector {
        LogInspector(
            options: SegmentLogOptions(directory: "\(broker.dataDirectory)/shard-0"), fileSystem: POSIXFileSystem())
    }

    /// Bytes of all files under a broker's data directory.
    func bytesOnDisk(_ broker: BrokerProcess) -> Int {
        guard let files = FileManager.default.enumerator(atPath: broker.dataDirectory) else { return 0 }
        return files.reduce(0) { sum, _ in sum + ((files.fileAttributes?[.size] as? Int) ?? 0) }
    }

    /// Ports that nobody listens on, found by binding them for a moment.
    private static func freePorts(_ count: Int) throws -> [Int] {
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            sockets.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    bind(descriptor, generic, length) == 0 ? getsockname(descriptor, generic, &length) : -1
                }
            }
            guard result == 0 else { throw ValidationError("no free port on 127.0.0.1") }
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }
}
