import NIOCore

/// Writes one message, or one frame, into a buffer; large record batches are not copied but remembered by position.
///
/// Owned by one call, on one thread; grows with the message.
public struct WireEncoder: FieldCoder {
    /// Parts of records from this size on stay buffers of their own: below it, copying costs less than handing one
    /// more element to `writev`.
    static let attachmentThreshold = 512

    public let version: Int16
    public let isFlexible: Bool
    /// What is written lies in the first ``count`` of these. An array, because writing into a `ByteBuffer` costs an
    /// exclusivity check at run time for every field.
    private var bytes: [UInt8]
    private var count = 0
    private var attachments: [Attachment] = []
    private var attachedBytes = 0

    private enum Pass { case untagged, tagged }
    private var pass = Pass.untagged
    /// Tagged fields of the current structure that differ from their default.
    private var tagCount: UInt32 = 0

    private struct Attachment {
        /// How many of the encoder's bytes precede it.
        var position: Int
        var bytes: ByteBuffer
    }

    public init(version: Int16, isFlexible: Bool, capacity: Int = 256) {
        self.version = version
        self.isFlexible = isFlexible
        bytes = [UInt8](repeating: 0, count: capacity)
    }

    public mutating func field<Value: WireValue>(
        _ value: inout Value, _ field: Field, default: Value
    ) throws(WireError) {
        if field.tagged.contains(version) {
            guard value != `default` else { return }
            switch pass {
            case .untagged: tagCount += 1
            case .tagged: try writeTagged(value, field)
            }
        } else if pass == .untagged && field.versions.contains(version) {
            try value.encode(to: &self, nullable: field.nullable.contains(version))
        }
    }

    /// Visits a table once, and once more when a tagged field has something to say.
    mutating func structure<Struct: KafkaStruct>(_ value: inout Struct) throws(WireError) {
        guard isFlexible else { return try value.fields(&self) }
        let outerCount = tagCount
        tagCount = 0
        try value.fields(&self)
        writeUnsignedVarint(tagCount)
        if tagCount > 0 {
            pass = .tagged
            try value.fields(&self)
            pass = .untagged
        }
        tagCount = outerCount
    }

    /// The size comes first and has a variable length, so the payload is written aside. Tagged fields are rare.
    private mutating func writeTagged<Value: WireValue>(_ value: Value, _ field: Field) throws(WireError) {
        var payload = WireEncoder(version: version, isFlexible: isFlexible)
        try value.encode(to: &payload, nullable: field.nullable.contains(version))
        writeUnsignedVarint(field.tag)
        writeUnsignedVarint(UInt32(payload.count))
        payload.bytes.withUnsafeBytes { write(bytes: UnsafeRawBufferPointer(rebasing: $0.prefix(payload.count))) }
    }

    // MARK: - Primitives

    // Inlined by force, as in ``ByteCursor``.

    /// Makes room for `size` more bytes and lets `store` fill them.
    @inline(__always)
    private mutating func write(size: Int, store: (UnsafeMutableRawBufferPointer) -> Void) {
        if count + size > bytes.count { grow(by: size) }
        let start = count
        bytes.withUnsafeMutableBytes { store(UnsafeMutableRawBufferPointer(rebasing: $0[start..<start + size])) }
        count += size
    }

    @inline(never)
    private mutating func grow(by size: Int) {
        bytes.append(contentsOf: repeatElement(0, count: max(size, bytes.count)))
    }

    @inline(__always)
    mutating func write<Integer: FixedWidthInteger>(_ value: Integer) {
        write(size: MemoryLayout<Integer>.size) { $0.storeBytes(of: value.bigEndian, as: Integer.self) }
    }

    private mutating func write(bytes source: UnsafeRawBufferPointer) {
        write(size: source.count) { $0.copyMemory(from: source) }
    }

    mutating func write(_ string: String) {
        var string = string
        string.withUTF8 { write(bytes: UnsafeRawBufferPointer($0)) }
    }

    mutating func writeUnsignedVarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            write(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        write(UInt8(truncatingIfNeeded: rest))
    }

    mutating func writeStringLength(_ length: Int?) {
        if isFlexible {
            writeUnsignedVarint(UInt32((length ?? -1) + 1))
        } else {
            write(Int16(length ?? -1))
        }
    }

    mutating func writeLength(_ length: Int?) {
        if isFlexible {
            writeUnsignedVarint(UInt32((length ?? -1) + 1))
        } else {
            write(Int32(length ?? -1))
        }
    }

    mutating func write(_ records: Records) {
        for part in records.parts {
            var rest = part.bytes
            if let stamp = part.stamp {
                write(stamp, ofBatch: &rest)
            }
            writeOrAttach(rest)
        }
    }

    /// Writes the first 16 bytes of a batch with the stamp in place, and leaves `batch` at what follows them.
    private mutating func write(_ stamp: BatchStamp, ofBatch batch: inout ByteBuffer) {
        let head = stamp.head(ofBatch: &batch)
        write(head.baseOffset)
        write(head.batchLength)
        write(head.leaderEpoch)
    }

    mutating func writeOrAttach(_ part: ByteBuffer) {
        if part.readableBytes < Self.attachmentThreshold {
            part.withUnsafeReadableBytes { write(bytes: $0) }
        } else {
            attachedBytes += part.readableBytes
            attachments.append(Attachment(position: count, bytes: part))
        }
    }

    // MARK: - Frames

    /// The frame whose 4-byte length was left open at its start. Ends the encoder's use.
    mutating func finishFrame() throws(WireError) -> WireFrame {
        guard let length = Int32(exactly: count + attachedBytes - 4) else { throw .invalidFrame }
        var head: [UInt8] = []
        // Not a copy, which two owners would need.
        swap(&head, &bytes)
        head.withUnsafeMutableBytes { $0.storeBytes(of: length.bigEndian, as: Int32.self) }
        head.removeLast(head.count - count)
        let byteCount = Int(length) + 4
        guard let first = attachments.first else { return WireFrame(head: head, tail: [], byteCount: byteCount) }
        var rest = ByteBuffer(bytes: head[first.position...])
        head.removeLast(count - first.position)
        var tail: [ByteBuffer] = []
        tail.reserveCapacity(2 * attachments.count)
        for attachment in attachments {
            let between = attachment.position - first.position - rest.readerIndex
            if let before = rest.readSlice(length: between), before.readableBytes > 0 { tail.append(before) }
            tail.append(attachment.bytes)
        }
        if rest.readableBytes > 0 { tail.append(rest) }
        return WireFrame(head: head, tail: tail, byteCount: byteCount)
    }
}
