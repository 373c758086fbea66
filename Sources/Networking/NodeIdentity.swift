import Basics
import NIOCore
import SegmentLog

/// Whose data a directory holds: kept in the file `node.properties`, so that a broker started with another node's
/// directory, or another number of shards, stops before it can harm anything.
///
/// The file is text, one `key=value` a line: `version=1`, `node.id`, `shard.count`.
struct NodeIdentity: Hashable {
    static let fileName = "node.properties"
    private static let fileBytesMax = 4_096

    var nodeID: NodeID
    var shardCount: Int

    var text: String { "version=1\nnode.id=\(nodeID)\nshard.count=\(shardCount)\n" }

    init(nodeID: NodeID, shardCount: Int) {
        self.nodeID = nodeID
        self.shardCount = shardCount
    }

    init?(_ text: String) {
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            values[parts[0]] = parts[1]
        }
        guard values["version"] == "1", let node = values["node.id"].flatMap({ Int32($0) }),
            let shards = values["shard.count"].flatMap({ Int($0) })
        else { return nil }
        self.init(nodeID: NodeID(node), shardCount: shards)
    }

    /// Checks the directory's identity against this one, or gives a new directory this one.
    func claim(_ directory: String, on files: any FileSystem) throws(ServerError) {
        let path = "\(directory)/\(Self.fileName)"
        do {
            try files.createDirectory(directory)
            guard try files.list(directory).contains(Self.fileName) else {
                let temporary = path + ".new"
                let file = try files.open(temporary, .create)
                // An earlier claim may have been interrupted when this file was longer.
                try file.truncate(to: 0)
                try file.write([ByteBuffer(string: text)], at: 0)
                try file.flush()
                try files.rename(temporary, to: path)
                try files.syncDirectory(directory)
                return
            }
            let file = try files.open(path, .read)
            let found = try file.readAll(atMost: Self.fileBytesMax)
            try check(String(buffer: found), at: path)
        } catch let error as ServerError {
            throw error
        } catch let error as StorageError {
            throw .storage(shard: .metadata, error)
        } catch {
            preconditionFailure("a file system throws only StorageError: \(error)")
        }
    }

    private func check(_ text: String, at path: String) throws(ServerError) {
        guard let found = NodeIdentity(text) else {
            throw .identity("\(path) is not readable as a node's identity; restore it or use another --data-dir")
        }
        guard found.nodeID == nodeID else {
            throw .identity(
                "\(path) belongs to node \(found.nodeID), not to node \(nodeID); check --node-id and --data-dir")
        }
        guard found.shardCount == shardCount else {
            throw .identity(
                "\(path) was created with \(found.shardCount) shards, and the number cannot change; "
                    + "start with --shards \(found.shardCount)")
        }
    }
}

extension StorageFile {
    /// The beginning of a small file, at most this many bytes.
    fileprivate func readAll(atMost bytesMax: Int) throws(StorageError) -> ByteBuffer {
        let length = min(try size(), bytesMax)
        var bytes = [UInt8](repeating: 0, count: length)
        var failure: StorageError?
        let count = bytes.withUnsafeMutableBytes { target in
            do throws(StorageError) {
                return try read(into: target, at: 0)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return ByteBuffer(bytes: bytes.prefix(count))
    }
}
