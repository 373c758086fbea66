import Basics
import NIOCore

/// Something small that is done for every batch, set up so that it can be repeated.
public struct MicroCase: Sendable {
    public let name: String
    /// Prepares it; what it returns does it once.
    public let prepare: @Sendable () throws -> () throws -> Void

    init(_ name: String, _ prepare: @escaping @Sendable () throws -> () throws -> Void) {
        self.name = name
        self.prepare = prepare
    }

    public static let all = wireCases + logCases + stateCases + brokerCases
}

/// What the cases work on: batches of 163 records of 100 bytes, which are 16 KiB of values.
enum Samples {
    static let recordBytes = 100
    static let recordsPerBatch = 16_384 / recordBytes

    /// - Parameter isCompressible: whether the values look like text rather than like noise.
    static func values(isCompressible: Bool) -> [ByteBuffer] {
        var random = RandomSource(seed: 1)
        return (0..<recordsPerBatch).map { number in
            guard isCompressible else {
                return ByteBuffer(bytes: (0..<recordBytes).map { _ in UInt8.random(in: 0 ... .max, using: &random) })
            }
            let text = #"{"id":\#(number),"user":"user-\#(number * 37 % 1_000)","event":"page_view","path":"/products/"#
            return ByteBuffer(string: text.padding(to: recordBytes))
        }
    }
}

extension String {
    fileprivate func padding(to count: Int) -> String {
        self + String(repeating: "x", count: Swift.max(0, count - utf8.count))
    }
}
