import Basics
import NIOCore

/// Lets connections write their answers once at the end of the loop's turn, all in one go: a task for each connection
/// would cost more than many an answer.
///
/// Owner: the server, on the event loop.
final class ResponseFlusher {
    /// Answers up to this size share a buffer: to copy them costs less than one more write.
    static let smallFrameBytes = 512
    static let gatheredBytesMax = 8.kibibytes

    /// Where the small answers of the connection that writes now are put together. The socket mostly takes them at
    /// once, and the memory serves the next connection.
    var gathered = ByteBuffer()
    private var waiting: [KafkaConnectionHandler] = []
    private let loop: any EventLoop

    init(loop: any EventLoop) { self.loop = loop }

    /// To be called once by each connection that has something to write, until it is told to.
    func add(_ connection: KafkaConnectionHandler) {
        waiting.append(connection)
        guard waiting.count == 1 else { return }
        loop.assumeIsolated().execute { [weak self] in self?.flush() }
    }

    private func flush() {
        let connections = waiting
        waiting.removeAll(keepingCapacity: true)
        for connection in connections { connection.writeResponses() }
    }
}
