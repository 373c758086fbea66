/// A seeded generator (SplitMix64): small, fast, and the same numbers for the same seed everywhere.
///
/// Fork one per purpose by name, so that a draw added in one place does not shift the numbers of another.
public struct RandomSource: RandomNumberGenerator, Hashable, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// An independent generator whose numbers depend on this one's current state and on `name` alone.
    public func fork(_ name: String) -> RandomSource { RandomSource(seed: seed(for: name)) }

    /// The seed of the generator that `fork` gives for this name.
    public func seed(for name: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        var forked = RandomSource(seed: state ^ hash)
        return forked.next()
    }
}
