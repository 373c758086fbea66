import Basics

/// Which of the changes that were not flushed a power failure leaves. What is not named here is on the disk as it was
/// when it was flushed last.
public struct Remains: Hashable, Sendable {
    public struct Sector: Hashable, Comparable, Sendable {
        public var file: Int
        public var number: Int

        public static func < (a: Sector, b: Sector) -> Bool { (a.file, a.number) < (b.file, b.number) }
    }

    /// How many of its bytes arrived, for each sector: all of them, or fewer if it is torn.
    public var sectors: [Sector: Int] = [:]
    /// Files whose new length arrived. It is metadata of its own: the old or the new one, whatever the sectors.
    public var lengths: Set<Int> = []
    /// How many changes of names arrived. They are journaled, so these are the oldest ones.
    public var nameChanges = 0

    public init() {}

    /// Some of these by chance: each sector gone, whole or torn, each length old or new, and the first of the names.
    public func drawn(using random: inout RandomSource) -> Remains {
        var drawn = Remains()
        drawn.nameChanges = Int.random(in: 0 ... nameChanges, using: &random)
        for file in lengths.sorted() where Bool.random(using: &random) { drawn.lengths.insert(file) }
        for sector in sectors.keys.sorted() {
            switch Int.random(in: 0 ..< 4, using: &random) {
            case 0: drawn.sectors[sector] = SimulatedFileSystem.sectorBytes
            case 1: drawn.sectors[sector] = Int.random(in: 1 ..< SimulatedFileSystem.sectorBytes, using: &random)
            default: break
            }
        }
        return drawn
    }
}

extension SimulatedDisk {
    /// All that a power failure now might lose.
    var unflushed: Remains {
        var remains = Remains()
        remains.nameChanges = nameChanges.count
        for (number, file) in files {
            if file.cached.count != file.durable.count { remains.lengths.insert(number) }
            for sector in file.dirty where file.isChanged(sector) {
                remains.sectors[.init(file: number, number: sector)] = SimulatedFileSystem.sectorBytes
            }
        }
        return remains
    }
}

extension SimulatedDisk.File {
    fileprivate func isChanged(_ sector: Int) -> Bool {
        func bytes(_ image: [UInt8]) -> ArraySlice<UInt8> {
            let start = min(sector * SimulatedFileSystem.sectorBytes, image.count)
            return image[start ..< min(start + SimulatedFileSystem.sectorBytes, image.count)]
        }
        return bytes(cached) != bytes(durable)
    }

    /// What a power failure leaves of file `number`.
    mutating func lose(allBut remains: Remains, of number: Int) {
        let length = remains.lengths.contains(number) ? cached.count : durable.count
        var image = durable
        image.resize(to: max(length, durable.count))
        for sector in dirty {
            guard let bytes = remains.sectors[.init(file: number, number: sector)] else { continue }
            image.copySector(sector, of: cached, bytes: bytes)
        }
        image.resize(to: length)
        cached = image
        durable = image
        dirty = []
    }
}
