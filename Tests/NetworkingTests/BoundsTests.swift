import Basics
import NIOCore
import NIOPosix
import SegmentLog
import Testing

@testable import Networking

@Suite struct ConnectionMemoryTests {
    private final class Holder: MemoryHolder {
        var isReleased = false
        func releaseMemory() { isReleased = true }
    }

    private let memory = ConnectionMemory(bytesMax: 100)

    @Test func `what is given back may be taken by others`() {
        let a = Holder(), b = Holder()
        memory.account(60, of: a)
        memory.account(40, of: b)
        memory.account(0, of: a)
        memory.account(100, of: b)
        #expect(memory.bytes == 100)
        #expect(!a.isReleased && !b.isReleased)
    }

    @Test func `at the bound the connection that got nothing done for longest is closed, not the one that asks`() {
        let old = Holder(), busy = Holder(), new = Holder()
        memory.account(40, of: old)
        memory.account(40, of: busy)
        // Something left it: it gets on.
        memory.account(30, of: busy)
        memory.account(50, of: new)
        #expect(old.isReleased)
        #expect(!busy.isReleased && !new.isReleased)
        #expect(memory.bytes == 80)
    }

    @Test func `as many are closed as must be, the asking one too when it is alone too large`() {
        let others = [Holder(), Holder()], large = Holder()
        for holder in others { memory.account(50, of: holder) }
        memory.account(101, of: large)
        #expect(others.allSatisfy { $0.isReleased })
        #expect(large.isReleased)
        #expect(memory.bytes == 0)
    }
}

@Suite struct StorageThreadsTests {
    @Test func `logs share writers when there are more of them than cores`() {
        let threads = StorageThreads(shardCount: 64)
        defer { threads.stop() }
        let writers = Set((0..<64).map { ObjectIdentifier(threads.writer(of: ShardID($0))) })
        #expect(writers.count == min(64, System.coreCount))
    }
}

@Suite struct HostPortTests {
    @Test(arguments: [
        ("127.0.0.1:9092", "127.0.0.1", 9_092), ("broker-1:0", "broker-1", 0), ("[::1]:65535", "::1", 65_535),
        ("::1:9092", "::1", 9_092),
    ]) func `hosts and ports are read`(text: String, host: String, port: Int) throws {
        let address = try #require(HostPort(text))
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(HostPort(address.description) == address)
    }

    @Test(arguments: ["", ":", "host", "host:", ":9092", "[]:1", "host:65536", "host:-1", "host:x", "[::1]", "host:1 "])
    func `what is no host and port is refused`(text: String) {
        #expect(HostPort(text) == nil)
    }
}

@Suite struct ServerConfigurationTests {
    private func reason(_ set: (inout ServerConfiguration) -> Void) -> String? {
        var configuration = ServerConfiguration()
        set(&configuration)
        do {
            try configuration.check()
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `the defaults can be started`() { #expect(reason { _ in } == nil) }

    @Test func `a cluster must name this node`() {
        let others = [NodeID(2): HostPort(host: "h", port: 1)]
        #expect(reason { $0.cluster = others }?.contains("--cluster") == true)
        #expect(
            reason {
                $0.cluster = others
                $0.nodeID = NodeID(2)
            } == nil)
    }

    @Test(arguments: [0, -1, 65]) func `the number of shards has limits`(count: Int) {
        #expect(reason { $0.shardCount = count }?.contains("--shards") == true)
    }

    @Test func `node ids are not negative`() {
        #expect(reason { $0.nodeID = NodeID(-1) }?.contains("--node-id") == true)
    }
}

@Suite struct NodeIdentityTests {
    private static let directory = "data"
    private static let path = "data/node.properties"
    private let disk = SimulatedFileSystem()

    private func claim(_ node: Int32, shards: Int) throws {
        try NodeIdentity(nodeID: NodeID(node), shardCount: shards).claim(Self.directory, on: disk)
    }

    /// Writes the file as somebody else may have left it.
    private func write(_ text: String, to path: String = path) throws {
        let file = try disk.open(path, .create)
        try file.write([ByteBuffer(string: text)], at: 0)
        try file.flush()
        try disk.syncDirectory(Self.directory)
    }

    @Test func `a new directory is claimed, and the claim survives a power failure`() throws {
        try claim(3, shards: 4)
        disk.restart(losing: .everythingUnflushed)
        #expect(
            disk.content(Self.path).map { String(decoding: $0, as: UTF8.self) }
                == "version=1\nnode.id=3\nshard.count=4\n")
        try claim(3, shards: 4)
    }

    @Test func `another node, and another number of shards, are told what to do`() throws {
        try claim(3, shards: 4)
        #expect { try claim(2, shards: 4) } throws: { "\($0)".contains("--node-id") }
        #expect { try claim(3, shards: 1) } throws: { "\($0)".contains("--shards 4") }
        try claim(3, shards: 4)
    }

    @Test(arguments: ["", "version=2\nnode.id=3\nshard.count=4\n", "version=1\nnode.id=x\nshard.count=4\n", "nonsense"])
    func `a file that is no identity is refused`(text: String) throws {
        try write(text)
        #expect(throws: ServerError.self) { try claim(3, shards: 4) }
    }

    @Test func `what an interrupted claim left behind does no harm`() throws {
        try write("version=1\nnode.id=100\nshard.count=4\n", to: Self.path + ".new")
        try claim(3, shards: 4)
        try claim(3, shards: 4)
    }

    @Test func `a disk that fails is reported as such`() throws {
        disk.failNext(.flush, errno: 28)
        #expect { try claim(3, shards: 4) } throws: { error in
            guard case .storage(_, .io(.flush, _, 28)) = error as? ServerError else { return false }
            return true
        }
    }

    @Test func `the text of an identity is read back`() {
        let identity = NodeIdentity(nodeID: NodeID(7), shardCount: 9)
        #expect(NodeIdentity(identity.text) == identity)
    }
}
