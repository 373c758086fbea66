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
    private(set) var buffer: ByteBuffer
    private var attachments: [Attachment] = []
    private var attachedBytes = 0

    private enum Pass { case untagged, tagged }
    private var pass = Pass.untagged
    /// Tagged fields of the current structure that differ from their default.
    private var tagCount: UInt32 = 0

    private struct Attachment {
        /// How many bytes of `buffer` precede it.
        var position: Int
        var bytes: ByteBuffer
    }

    public init(version: Int16, isFlexible: Bool, capacity: Int = 256) {
        self.version = version
        self.isFlexible = isFlexible
        buffer = ByteBuffer()
        buffer.reserveCapacity(capacity)
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
        buffer.writeUnsignedVarint(tagCount)
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
        buffer.writeUnsignedVarint(field.tag)
        buffer.writeUnsignedVarint(UInt32(payload.buffer.readableBytes))
        buffer.writeBuffer(&payload.buffer)
    }

    // MARK: - Primitives

    mutating func write<Integer: FixedWidthInteger>(_ value: Integer) {
        buffer.writeInteger(value)
    }

    mutating func write(_ string: String) {
        buffer.writeString(string)
    }

    mutating func writeStringLength(_ length: Int?) {
        if isFlexible {
            buffer.writeUnsignedVarint(UInt32((length ?? -1) + 1))
        } else {
            buffer.writeInteger(Int16(length ?? -1))
        }
    }

    mutating func writeLength(_ length: Int?) {
        if isFlexible {
            buffer.writeUnsignedVarint(UInt32((length ?? -1) + 1))
        } else {
            buffer.writeInteger(Int32(length ?? -1))
        }
    }

    mutating func write(_ records: Records) {
        for part in records.parts {
            var bytes = part.bytes
            if let stamp = part.stamp {
                stamp.write(batch: &bytes, to: &buffer)
            }
            writeOrAttach(bytes)
        }
    }

    mutating func writeOrAttach(_ bytes: ByteBuffer) {
        if bytes.readableBytes < Self.attachmentThreshold {
            buffer.writeImmutableBuffer(bytes)
        } else {
            attachedBytes += bytes.readableBytes
            attachments.append(Attachment(position: buffer.writerIndex, bytes: bytes))
        }
    }

    // MARK: - Frames

    /// The frame whose 4-byte length was left open at the buffer's start.
    consuming func finishFrame() throws(WireError) -> WireFrame {
        let length = buffer.readableBytes + attachedBytes - 4
        guard let length = Int32(exactly: length) else { throw .invalidFrame }
        buffer.setInteger(length, at: buffer.readerIndex)
        if attachments.isEmpty { return WireFrame([buffer], byteCount: Int(length) + 4) }

        var parts: [ByteBuffer] = []
        parts.reserveCapacity(2 * attachments.count + 1)
        for attachment in attachments {
            if let before = buffer.readSlice(length: attachment.position - buffer.readerIndex),
                before.readableBytes > 0
            {
                parts.append(before)
            }
            parts.append(attachment.bytes)
        }
        if buffer.readableBytes > 0 { parts.append(buffer) }
        return WireFrame(parts, byteCount: Int(length) + 4)
    }
}
