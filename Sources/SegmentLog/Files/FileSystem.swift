import NIOCore

/// The file system as the log needs it: synchronous calls without threads of their own. Whoever calls blocks.
///
/// What a power failure leaves is the caller's concern: bytes are safe after `StorageFile.flush`, names after
/// `syncDirectory`.
public protocol FileSystem: Sendable {
    /// Creates a directory and its missing parents; succeeds if it exists.
    func createDirectory(_ path: String) throws(StorageError)
    func open(_ path: String, _ mode: FileMode) throws(StorageError) -> any StorageFile
    /// Names of the files in a directory, in no order.
    func list(_ directory: String) throws(StorageError) -> [String]
    /// Replaces `target` if it exists.
    func rename(_ source: String, to target: String) throws(StorageError)
    func unlink(_ path: String) throws(StorageError)
    /// Makes the names in a directory durable.
    func syncDirectory(_ path: String) throws(StorageError)
    /// Takes the lock file at `path`, held as long as the result lives; throws `.locked` if it is taken.
    func lock(_ path: String) throws(StorageError) -> any FileLock
}

public enum FileMode: Hashable, Sendable {
    case read
    case readWrite
    /// Created if it does not exist, never cut.
    case create
}

/// A held lock; ends when the last reference goes.
public protocol FileLock: AnyObject, Sendable {}

/// An open file; closed when the last reference goes. Calls may come from several threads.
public protocol StorageFile: AnyObject, Sendable {
    func size() throws(StorageError) -> Int
    /// Fills `target` from `position` on; returns fewer bytes only at the end of the file.
    func read(into target: UnsafeMutableRawBufferPointer, at position: Int) throws(StorageError) -> Int
    /// Writes all buffers one behind the other, or throws.
    func write(_ buffers: [ByteBuffer], at position: Int) throws(StorageError)
    /// Writes all buffers where the file's content ends. What the file had behind `position` is given up: zeros may
    /// follow the buffers.
    ///
    /// - Parameter durably: what is written is durable afterwards. That says nothing about earlier writes; and after an
    ///   error nobody knows what is on disk, as with `flush`.
    func append(_ buffers: [ByteBuffer], at position: Int, durably: Bool) throws(StorageError)
    /// Writes zeros into a range behind the content, so that its blocks exist on the disk and a later append changes no
    /// metadata there. Does nothing where that does not pay.
    func fill(_ range: Range<Int>) throws(StorageError)
    /// Makes the data durable. After an error nobody knows what is on disk; calling again would not tell.
    func flush() throws(StorageError)
    /// Makes later reads come from the disk, as far as the cache holds nothing unwritten. After a failed flush Linux
    /// takes pages for clean that never reached the disk; a recovery that reads those would believe in them.
    func dropCache() throws(StorageError)
    func truncate(to length: Int) throws(StorageError)
    /// Reserves space so that the file is at least `length` long.
    func allocate(_ length: Int) throws(StorageError)
    /// Gives the space of a range back; it reads as zeros.
    func punchHole(at position: Int, length: Int) throws(StorageError)
}

extension StorageFile {
    /// At most `length` bytes from `position` on.
    func read(at position: Int, length: Int) throws(StorageError) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: length)
        var failure: StorageError?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            let slice = UnsafeMutableRawBufferPointer(rebasing: target[..<length])
            do throws(StorageError) {
                return try read(into: slice, at: position)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return buffer
    }
}
