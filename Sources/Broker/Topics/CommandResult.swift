import Basics
import KafkaWire

/// What the state machine answers for one log entry.
public enum CommandResult: Hashable, Sendable {
    /// The entry was none of the state machine's, or has nothing to say.
    case none
    /// The batch has these offsets; for a repeated batch, the ones it had the first time.
    case appended(baseOffset: Offset, logStart: Offset)
    case topic(TopicNumber)
    case producerID(Int64)
    /// Where the partition begins now.
    case logStart(Offset)
    // Apart, so that the answer to a batch, of which there are most, is small and copied without looking into it.
    indirect case joinedGroup(ClassicJoinOutcome)
    indirect case consumerGroup(Result<ConsumerGroupAnswer?, ConsumerGroupRefusal>)
    case refused(ErrorCode)
}
