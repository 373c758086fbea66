import Basics
import NIOCore
import Testing

@testable import Networking

@Suite struct FrameAccumulatorTests {
    private static let limit = 100_000

    private static func stream(_ frames: [[UInt8]], endianness: Endianness = .big) -> [UInt8] {
        var stream = ByteBuffer()
        for frame in frames {
            stream.writeInteger(Int32(frame.count), endianness: endianness)
            stream.writeBytes(frame)
        }
        return Array(stream.readableBytesView)
    }

    /// Every whole frame that is there now.
    private static func take(_ accumulator: inout FrameAccumulator) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        while case .frame(let frame) = accumulator.next() { frames.append(Array(frame.readableBytesView)) }
        return frames
    }

    @Test(arguments: 0..<40 as Range<UInt64>) func `however a stream is cut into reads, its frames are the same`(
        seed: UInt64
    ) {
        var random = RandomSource(seed: seed)
        let endianness = seed.isMultiple(of: 2) ? Endianness.big : .little
        let sent = (0..<30).map { _ in
            let length = [0, 1, 3, 100, 5_000, 70_000][Int.random(in: 0..<6, using: &random)]
            return [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: length)
        }
        var rest = Self.stream(sent, endianness: endianness)[...]
        var accumulator = FrameAccumulator(frameBytesMax: Self.limit, endianness: endianness)
        var received: [[UInt8]] = []
        while !rest.isEmpty {
            let read = rest.prefix([1, 2, 3, 5, 1_000, 65_536][Int.random(in: 0..<6, using: &random)])
            rest = rest.dropFirst(read.count)
            accumulator.append(ByteBuffer(bytes: read))
            // A connection may leave frames where they are for a while.
            if Bool.random(using: &random) { received += Self.take(&accumulator) }
        }
        received += Self.take(&accumulator)
        #expect(received == sent)
        #expect(accumulator.bufferedBytes == 0)
    }

    @Test func `a frame taken earlier is not changed by what arrives later`() throws {
        var accumulator = FrameAccumulator(frameBytesMax: Self.limit, endianness: .big)
        var held: [ByteBuffer] = []
        let stream = Self.stream((0..<50).map { [UInt8](repeating: $0, count: 100) })
        for start in stride(from: 0, to: stream.count, by: 37) {
            accumulator.append(ByteBuffer(bytes: stream[start..<min(start + 37, stream.count)]))
            if case .frame(let frame) = accumulator.next() { held.append(frame) }
        }
        #expect(held.count == 50)
        for (number, frame) in held.enumerated() {
            #expect(frame == ByteBuffer(repeating: UInt8(number), count: 100))
        }
    }

    @Test func `frames that come whole are not copied`() throws {
        let read = ByteBuffer(bytes: Self.stream([[1, 2, 3], [4, 5]]))
        let start = read.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        var accumulator = FrameAccumulator(frameBytesMax: Self.limit, endianness: .big)
        accumulator.append(read)
        for offset: UInt in [4, 11] {
            guard case .frame(let frame) = accumulator.next() else {
                Issue.record("no frame")
                return
            }
            #expect(frame.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == start + offset)
        }
    }

    @Test(arguments: [-1, Int32.min, 100_001, .max])
    func `a length that cannot be is told before anything is kept for it`(length: Int32) {
        var accumulator = FrameAccumulator(frameBytesMax: Self.limit, endianness: .big)
        accumulator.append(ByteBuffer(integer: length))
        guard case .invalid(let told) = accumulator.next() else {
            Issue.record("length \(length) was taken")
            return
        }
        #expect(told == Int(length))
    }

    @Test func `memory grows with what arrives, not with what is announced`() throws {
        var accumulator = FrameAccumulator(frameBytesMax: 1 << 30, endianness: .big)
        accumulator.append(ByteBuffer(integer: Int32(1 << 30)))
        for _ in 0..<100 { accumulator.append(ByteBuffer(repeating: 1, count: 10)) }
        #expect(accumulator.bufferedBytes == 1_004)
        let buffer = try #require(Mirror(reflecting: accumulator).descendant("buffer") as? ByteBuffer)
        #expect(buffer.capacity <= 2.mebibytes)
    }
}
