import Basics
import SegmentLog

/// Who waits for a command. Not a bare closure, which a collection would wrap into another one.
///
/// This and what follows is not nested in `RaftNode`: it would be generic as that is, and the collections of it would
/// look up their types at run time, in every step.
struct Waiter {
    let complete: ((Result<LogIndex, RaftError>) -> Void)?
}

/// A block on its way through the encoder, with who waits for its entries.
struct Proposal {
    var block: EncodedBlock
    var waiters: [Waiter]
}

/// A block in the log that is not applied yet.
struct Inflight {
    var base: LogIndex
    var waiters: [Waiter]
}
