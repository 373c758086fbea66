import Basics

/// The bytes of all requests that have begun to arrive and are not complete, over all connections.
///
/// Owner: the server, on the event loop. At the bound the connection that wants more is closed: without it, a few
/// hundred clients that each send most of a large request could exhaust the machine.
final class RequestMemory {
    let bytesMax: Int
    private(set) var bytes = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// Changes one connection's share from `old` to `new`; false if that would pass the bound.
    func resize(from old: Int, to new: Int) -> Bool {
        if new > old, bytes + new - old > bytesMax { return false }
        bytes += new - old
        return true
    }
}
