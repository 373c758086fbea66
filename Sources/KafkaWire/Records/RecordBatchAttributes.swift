/// How the records of a batch are compressed: bits 0–2 of its attributes.
public enum Codec: Int8, Hashable, Sendable, CaseIterable {
    case none = 0
    case gzip = 1
    case snappy = 2
    case lz4 = 3
    case zstd = 4
}

/// Who set the timestamps of a batch: bit 3 of its attributes.
public enum TimestampType: Hashable, Sendable {
    case createTime
    case logAppendTime
}

/// The attributes of a batch.
///
/// | bits | meaning |
/// |---|---|
/// | 0–2 | codec; 5–7 are invalid |
/// | 3 | timestamps are those of the append |
/// | 4 | part of a transaction |
/// | 5 | control batch: a transaction's end |
/// | 6 | the base timestamp is the time when its tombstones may go |
/// | 7–15 | zero |
public struct RecordBatchAttributes: RawRepresentable, Hashable, Sendable {
    public var rawValue: Int16

    public init(rawValue: Int16) { self.rawValue = rawValue }

    public init(codec: Codec = .none, timestampType: TimestampType = .createTime, isTransactional: Bool = false) {
        rawValue = Int16(codec.rawValue)
        self.timestampType = timestampType
        self.isTransactional = isTransactional
    }

    /// Nil for a codec nobody has defined.
    public var codec: Codec? { Codec(rawValue: Int8(rawValue & 0b111)) }

    public var timestampType: TimestampType {
        get { self[bit: 3] ? .logAppendTime : .createTime }
        set { self[bit: 3] = newValue == .logAppendTime }
    }

    public var isTransactional: Bool {
        get { self[bit: 4] }
        set { self[bit: 4] = newValue }
    }

    public var isControl: Bool {
        get { self[bit: 5] }
        set { self[bit: 5] = newValue }
    }

    public var hasDeleteHorizon: Bool {
        get { self[bit: 6] }
        set { self[bit: 6] = newValue }
    }

    private subscript(bit position: Int16) -> Bool {
        get { rawValue >> position & 1 == 1 }
        set { rawValue = newValue ? rawValue | 1 << position : rawValue & ~(1 << position) }
    }
}
