import Basics
import NIOCore

/// Bytes that lie in several buffers, one behind the other. A collection of those buffers, at least one.
///
/// What came from a socket in several reads, or was gathered from several requests, goes on as it is: to sockets and
/// disk, which take lists of buffers anyway.
@frozen
public struct BufferChain: RandomAccessCollection, Hashable, Sendable {
    @usableFromInline
    let head: ByteBuffer
    @usableFromInline
    let tail: [ByteBuffer]
    /// Bytes of all buffers.
    public let byteCount: Int

    /// - Parameter tail: what follows `head`; takes no memory if there is nothing.
    @inlinable
    public init(_ head: ByteBuffer, _ tail: [ByteBuffer] = []) {
        self.head = head
        self.tail = tail
        byteCount = tail.reduce(head.readableBytes) { $0 + $1.readableBytes }
    }

    @inlinable public var startIndex: Int { 0 }
    @inlinable public var endIndex: Int { 1 + tail.count }
    @inlinable
    public subscript(position: Int) -> ByteBuffer { position == 0 ? head : tail[position - 1] }

    /// All bytes in one buffer: copied, if there are several.
    public var joined: ByteBuffer { tail.isEmpty ? head : slice(0 ..< byteCount) }

    /// A range of the bytes as one buffer: a slice if it lies in one of the buffers, a copy otherwise.
    public func slice(_ range: Range<Int>) -> ByteBuffer {
        let part = part(range)
        guard part.count > 1 else { return part.head }
        var copy = ByteBufferAllocator().buffer(capacity: range.count)
        for buffer in part { copy.writeImmutableBuffer(buffer) }
        return copy
    }

    /// A range of the bytes where they are.
    public func part(_ range: Range<Int>) -> BufferChain {
        invariant(range.lowerBound >= 0 && range.upperBound <= byteCount, "bytes \(range) of \(byteCount)")
        if let slice = head.getSlice(at: head.readerIndex + range.lowerBound, length: range.count) {
            return BufferChain(slice)
        }
        var found: ByteBuffer?
        var more: [ByteBuffer] = []
        var start = 0
        for buffer in self {
            let end = start + buffer.readableBytes
            defer { start = end }
            guard end > range.lowerBound else { continue }
            guard start < range.upperBound else { break }
            let from = Swift.max(range.lowerBound, start)
            let length = Swift.min(range.upperBound, end) - from
            guard let slice = buffer.getSlice(at: buffer.readerIndex + from - start, length: length) else {
                preconditionFailure("the range lies in the buffer")
            }
            if found == nil { found = slice } else { more.append(slice) }
        }
        return BufferChain(found ?? ByteBuffer(), more)
    }

    /// The number at `offset`, wherever the chain is divided; nil if there are fewer bytes.
    @inlinable
    public func integer<T: FixedWidthInteger>(at offset: Int, endianness: Endianness, as type: T.Type = T.self) -> T? {
        let size = MemoryLayout<T>.size
        if offset + size <= head.readableBytes {
            return head.getInteger(at: head.readerIndex + offset, endianness: endianness)
        }
        guard offset + size <= byteCount else { return nil }
        return slice(offset ..< offset + size).getInteger(at: 0, endianness: endianness)
    }

    /// The same bytes, with at least the first `count` of them in the first buffer.
    func joiningFirst(_ count: Int) -> BufferChain {
        guard count > head.readableBytes else { return self }
        let rest = part(count ..< byteCount)
        return BufferChain(slice(0 ..< count), rest.byteCount == 0 ? [] : Array(rest))
    }

    /// Bytes of memory that the buffers keep alive, slices of the same memory counted once.
    func heldBytes(besides owner: inout UnsafeRawPointer?) -> Int {
        reduce(0) { $0 + $1.heldBytes(besides: &owner) }
    }

    /// The same bytes, however they are divided.
    public static func == (a: BufferChain, b: BufferChain) -> Bool { a.joined == b.joined }
    public func hash(into hasher: inout Hasher) { hasher.combine(joined) }
}

extension ByteBuffer {
    /// Bytes of memory that the buffer keeps alive: all of the memory of which it is a slice.
    ///
    /// - Parameter owner: the memory that is counted already, then this buffer's, unless that is too small to matter.
    func heldBytes(besides owner: inout UnsafeRawPointer?) -> Int {
        guard storageCapacity >= 4.kibibytes else { return storageCapacity }
        let memory = UnsafeRawPointer(withUnsafeReadableBytesWithStorageManagement { $1.toOpaque() })
        defer { owner = memory }
        return memory == owner ? 0 : storageCapacity
    }
}

/// The payload of a block before compression, in one buffer or several.
public struct BlockPayload: Hashable, Sendable {
    private let bytes: BufferChain
    private let start: Int
    public let byteCount: Int

    init(_ bytes: BufferChain, from start: Int, byteCount: Int) {
        invariant(start + byteCount <= bytes.byteCount, "a block is shorter than its payload")
        self.bytes = bytes
        self.start = start
        self.byteCount = byteCount
    }

    public init(_ bytes: ByteBuffer) { self.init(BufferChain(bytes), from: 0, byteCount: bytes.readableBytes) }

    /// A part as one buffer: a slice if it lies in one, as every entry's does on the node that encoded the block.
    public func slice(_ range: Range<Int>) -> ByteBuffer {
        bytes.slice(start + range.lowerBound ..< start + range.upperBound)
    }

    /// All of it in one buffer.
    public var joined: ByteBuffer { slice(0 ..< byteCount) }

    public static func == (a: BlockPayload, b: BlockPayload) -> Bool { a.joined == b.joined }
    public func hash(into hasher: inout Hasher) { hasher.combine(joined) }
}
