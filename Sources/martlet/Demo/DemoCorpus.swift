import ArgumentParser
import Foundation
import NIOCore

/// The records of a demo: lines of a file, or generated events; split among the producers.
struct DemoCorpus: Sendable {
    private enum Source: Sendable {
        case lines(Data, starts: [Int])
        case generated(count: Int, seed: UInt64)
    }

    private let source: Source

    init(generated count: Int, seed: UInt64) { source = .generated(count: count, seed: seed) }

    init(file path: String) throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw ValidationError("cannot read \(path): \(error.localizedDescription)")
        }
        var starts = [0]
        data.withUnsafeBytes { bytes in
            for (position, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") { starts.append(position + 1) }
        }
        if starts.last != data.count { starts.append(data.count + 1) }
        guard starts.count > 1 else { throw ValidationError("\(path) holds no lines") }
        source = .lines(data, starts: starts)
    }

    var count: Int {
        switch source {
        case .lines(_, let starts): starts.count - 1
        case .generated(let count, _): count
        }
    }

    /// Calls back with each record of one producer's share, in order.
    func forEachRecord(
        of producer: Int, among producerCount: Int, _ body: (ByteBuffer) async throws -> Void
    ) async throws {
        let share = count * producer / producerCount ..< count * (producer + 1) / producerCount
        switch source {
        case .lines(let data, let starts):
            for line in share {
                try await body(ByteBuffer(bytes: data[starts[line]..<starts[line + 1] - 1]))
            }
        case .generated(_, let seed):
            var generator = EventGenerator(seed: seed &+ UInt64(producer))
            for sequence in 0..<share.count {
                try await body(ByteBuffer(string: generator.next(producer: producer, sequence: sequence)))
            }
        }
    }
}
