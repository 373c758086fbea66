import Basics
import NIOCore
import SegmentLog
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
        while case .frame(let frame) = accumulator.next() { frames.append(Array(frame.joined.readableBytesView)) }
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
        var accumulator = FrameAccumulator(
            frameBytesMax: Self.limit, endianness: endianness, linkedBytesMin: [1, 3, 1_000, .max][Int(seed % 4)])
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
            if case .frame(let frame) = accumulator.next() { held.append(frame.joined) }
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
            #expect(frame[0].withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == start + offset)
        }
    }

    @Test func `large reads are linked to a frame, small ones copied behind its beginning`() {
        let stream = Self.stream([[UInt8](repeating: 7, count: 50_000), [8]])
        let reads = [0..<20_000, 20_000..<20_005, 20_005..<20_010, 20_010..<stream.count].map {
            ByteBuffer(bytes: stream[$0])
        }
        var accumulator = FrameAccumulator(frameBytesMax: Self.limit, endianness: .big, linkedBytesMin: 1_000)
        for read in reads { accumulator.append(read) }
        guard case .frame(let frame) = accumulator.next(), case .frame(let last) = accumulator.next() else {
            Issue.record("no frames")
            return
        }
        #expect(frame.map(\.readableBytes) == [20_006, 29_994])
        let read = reads[3].withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(frame[1].withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == read)
        #expect(last.joined == ByteBuffer(bytes: [8]))
        #expect(accumulator.bufferedBytes == 0)
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
