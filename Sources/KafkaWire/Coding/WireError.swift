/// Why bytes could not be read as a message, or a message not written as bytes.
///
/// A peer that sends bytes which fail to decode has lost the framing; the only safe answer is to close its connection.
public enum WireError: Error, Hashable, Sendable {
    /// The bytes end before the value does.
    case truncated
    /// A length or an array count is negative (and not the null marker), or larger than the bytes that follow.
    case invalidLength
    /// A variable-length integer has more than 5 (32 bits) or 10 (64 bits) bytes, or more bits than its type.
    case invalidVarint
    /// Null where this version of the field does not allow it; both on reading and on writing.
    case unexpectedNull
    /// A string longer than 32767 UTF-8 bytes, the protocol's limit.
    case stringTooLong
    /// The arrays of one message would take more than ``WireDecoder/maximumArrayBytes`` of memory.
    case arraysTooLarge
    /// The tags of a tagged section do not ascend (KIP-482 demands it).
    case unorderedTags
    /// A frame shorter or longer than its own header claims.
    case invalidFrame
    /// The API is unknown here, or this version of it is.
    case unsupportedVersion(api: ApiKey, version: Int16)
}
