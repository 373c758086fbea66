import CMartlet

/// All formats of this module are little-endian; these two are the only places where bytes become numbers.
extension UnsafeRawBufferPointer {
    @inline(__always)
    func number<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    @inline(__always)
    func isZero(_ range: Range<Int>) -> Bool {
        for offset in range where self[offset] != 0 { return false }
        return true
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }

    func zero(_ range: Range<Int>) {
        UnsafeMutableRawBufferPointer(rebasing: self[range]).initializeMemory(as: UInt8.self, repeating: 0)
    }

    func copy(_ source: UnsafeRawBufferPointer, to offset: Int) {
        guard source.count > 0 else { return }
        UnsafeMutableRawBufferPointer(rebasing: self[offset ..< offset + source.count]).copyMemory(from: source)
    }
}

/// CRC-32C of `bytes`, continuing from `seed` (0 to begin).
@inline(__always)
func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    martlet_crc32c(seed, bytes.baseAddress, bytes.count)
}

func crc32c(_ bytes: Slice<UnsafeRawBufferPointer>, seed: UInt32 = 0) -> UInt32 {
    crc32c(UnsafeRawBufferPointer(rebasing: bytes), seed: seed)
}
