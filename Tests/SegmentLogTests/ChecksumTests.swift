import Basics
import CMartlet
import Testing

@Suite struct ChecksumTests {
    /// RFC 3720, appendix B.4.
    private static let known: [(bytes: [UInt8], checksum: UInt32)] = [
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        ([UInt8](0 ..< 32), 0x46DD_794E), ([UInt8]((0 ..< 32).reversed()), 0x113F_DB5C),
    ]

    @Test(arguments: known) func theChecksumIsCastagnolis(bytes: [UInt8], expected: UInt32) {
        #expect(martlet_crc32c(0, bytes, bytes.count) == expected)
        #expect(martlet_crc32c_portable(0, bytes, bytes.count) == expected)
    }

    @Test(arguments: 0 ..< 200 as Range<UInt64>)
    func everyWayToComputeItGivesTheSame(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let bytes = (0 ..< Int.random(in: 0 ... 40_000, using: &random)).map { _ in
            UInt8.random(in: 0 ... 255, using: &random)
        }
        let expected = martlet_crc32c_portable(0, bytes, bytes.count)
        #expect(martlet_crc32c(0, bytes, bytes.count) == expected)
        let (front, back) = (bytes.prefix(Int.random(in: 0 ... bytes.count, using: &random)), bytes)
        let rest = Array(back.dropFirst(front.count))
        let first = martlet_crc32c(0, Array(front), front.count)
        #expect(martlet_crc32c(first, rest, rest.count) == expected)
        let second = martlet_crc32c(0, rest, rest.count)
        #expect(martlet_crc32c_combine(first, second, rest.count) == expected)
    }

    /// Lengths whose bits are far apart; a table that ended too early would show here.
    @Test func largeLengthsCombine() {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var all: UInt32 = martlet_crc32c(0, [1], 1)
        let first = all
        for _ in 0 ..< 129 { all = martlet_crc32c(all, zeros, zeros.count) }
        var second: UInt32 = 0
        for _ in 0 ..< 129 { second = martlet_crc32c(second, zeros, zeros.count) }
        #expect(martlet_crc32c_combine(first, second, 129 << 20) == all)
    }
}
