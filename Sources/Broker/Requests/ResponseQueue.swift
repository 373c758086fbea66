import Basics
import DequeModule
import KafkaWire

/// The answers of one connection: requests are worked on together, answers leave in the order of the requests.
///
/// Owner: the connection, on the event loop. Bounded by `BrokerConfiguration.requestsPerConnectionMax` and
/// `responseBytesPerConnectionMax`: at either bound the connection stops reading its socket.
public struct ResponseQueue {
    /// A request's place in the order of answers.
    public struct Ticket: Hashable, Sendable {
        fileprivate let sequence: UInt64
    }

    private enum Slot {
        case waiting
        case ready(WireFrame)
        /// The request has no answer (Produce with acks=0).
        case silent
    }

    private var slots: Deque<Slot> = []
    private var firstSequence: UInt64 = 0
    /// Bytes of answers that are ready but stand behind one that is not.
    public private(set) var readyBytes = 0

    public init() {}

    /// Requests that were taken and not answered yet.
    public var count: Int { slots.count }

    /// Takes the next place.
    public mutating func enqueue() -> Ticket {
        slots.append(.waiting)
        return Ticket(sequence: firstSequence + UInt64(slots.count - 1))
    }

    /// Puts an answer, or none, in its place. A place is filled once.
    public mutating func complete(_ ticket: Ticket, with frame: WireFrame?) {
        let position = Int(ticket.sequence - firstSequence)
        guard case .waiting = slots[position] else { preconditionFailure("a request is answered once") }
        if let frame {
            slots[position] = .ready(frame)
            readyBytes += frame.byteCount
        } else {
            slots[position] = .silent
        }
    }

    /// Takes the next answer that may leave; nil when the oldest request is still being worked on.
    public mutating func next() -> WireFrame? {
        while let first = slots.first {
            switch first {
            case .waiting:
                return nil
            case .ready(let frame):
                dequeue()
                readyBytes -= frame.byteCount
                return frame
            case .silent:
                dequeue()
            }
        }
        return nil
    }

    private mutating func dequeue() {
        slots.removeFirst()
        firstSequence += 1
    }
}
