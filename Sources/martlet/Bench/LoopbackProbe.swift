import Foundation
import Glibc

/// How fast one connection within this machine carries bytes, with nothing else to do.
enum LoopbackProbe {
    private static let chunkBytes = 1_048_576

    /// Megabytes a second. Blocks its thread.
    static func measure(seconds: Double) throws -> Double {
        let (sender, receiver) = try connectedPair()
        // Ends when its peer closes, below at the latest.
        let thread = Thread {
            var chunk = [UInt8](repeating: 0, count: chunkBytes)
            while read(receiver, &chunk, chunk.count) > 0 {}
            close(receiver)
        }
        thread.start()
        let chunk = [UInt8](repeating: 1, count: chunkBytes)
        let start = ContinuousClock.now
        var sent = 0
        while start.duration(to: .now) < .seconds(seconds) {
            let count = send(sender, chunk, chunk.count, CInt(MSG_NOSIGNAL))
            guard count > 0 else { break }
            sent += count
        }
        let elapsed = start.duration(to: .now) / .seconds(1)
        close(sender)
        return Double(sent) / 1e6 / elapsed
    }

    private static func connectedPair() throws -> (sender: CInt, receiver: CInt) {
        let stream = CInt(SOCK_STREAM.rawValue)
        let listener = socket(AF_INET, stream, 0)
        let sender = socket(AF_INET, stream, 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let receiver: CInt = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard bind(listener, generic, length) == 0, listen(listener, 1) == 0,
                    getsockname(listener, generic, &length) == 0, connect(sender, generic, length) == 0
                else { return -1 }
                return accept(listener, nil, nil)
            }
        }
        guard receiver >= 0 else {
            let reason = String(cString: strerror(errno))
            close(sender)
            throw CommandFailure("no connection within this machine: \(reason)")
        }
        return (sender, receiver)
    }
}
