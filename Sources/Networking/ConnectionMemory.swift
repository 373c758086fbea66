import Basics

/// What counts against `ConnectionMemory`: a client's connection.
protocol MemoryHolder: AnyObject {
    /// The server needs the memory: the connection is to be closed.
    func releaseMemory()
}

/// The bytes that all clients' connections hold: requests that have begun to arrive and are not complete, and answers
/// that are not taken.
///
/// Owner: the server, on the event loop. At the bound the connection that got nothing done for the longest time is
/// closed, until it is kept. Whoever asks for the memory is not to blame for it: closing that one instead would let a
/// few hundred clients that stop half-way shut everybody else out.
final class ConnectionMemory {
    private struct Holding {
        let holder: any MemoryHolder
        var bytes: Int
        /// When the holder last began to hold, or let some of it go.
        var since: UInt64
    }

    let bytesMax: Int
    private(set) var bytes = 0
    private var holdings: [ObjectIdentifier: Holding] = [:]
    private var clock: UInt64 = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// Says how much a connection holds now; with 0 it is forgotten. May close other connections, or this one.
    func account(_ held: Int, of holder: any MemoryHolder) {
        let id = ObjectIdentifier(holder)
        var holding = holdings[id] ?? Holding(holder: holder, bytes: 0, since: 0)
        if holding.bytes == 0 || held < holding.bytes {
            clock += 1
            holding.since = clock
        }
        bytes += held - holding.bytes
        holding.bytes = held
        holdings[id] = held == 0 ? nil : holding
        while bytes > bytesMax, closeTheMostStalled() {}
    }

    private func closeTheMostStalled() -> Bool {
        guard let (id, stalled) = holdings.min(by: { $0.value.since < $1.value.since }) else { return false }
        holdings[id] = nil
        bytes -= stalled.bytes
        stalled.holder.releaseMemory()
        return true
    }
}
