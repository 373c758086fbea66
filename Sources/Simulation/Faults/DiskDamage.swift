import Basics
import Broker
import RaftCore
import SegmentLog

/// Damage that a disk does to what it stored, and the operator's answer to it: an empty disk, but not before all
/// others hold what the damaged one did, since it has forgotten its votes and acknowledgements.
///
/// Owner: the `Nemesis`. One broker of a world has the bad disk, so that everything stays whole on all others.
final class DiskDamage {
    private unowned let world: World
    private let victim: NodeID
    private var random: RandomSource
    /// The disk has lied, so that a start may be refused.
    var hasHappened: Bool { world.rottenDisk != nil }
    private(set) var isReplacing = false
    private var crashedAt = Instant.zero
    /// Called when the broker has an empty disk and may start.
    var onReplaced: ((NodeID) -> Void)?

    init(_ world: World, random: RandomSource) {
        self.world = world
        var random = random
        victim = world.brokerIDs[Int(random.next() % UInt64(world.brokers.count))]
        self.random = random
    }

    func isVictim(_ id: NodeID) -> Bool { id == victim }

    /// Changes a byte of a sealed segment, or of a sidecar, if there is one.
    func rot() {
        let disk = world.broker(victim).files
        let shard = Int(random.next() % UInt64(world.options.shardCount))
        guard let names = try? disk.list("/shard-\(shard)").sorted() else { return }
        let sealed = names.filter { $0.hasSuffix(".log") }.dropLast() + names.filter { $0.hasSuffix(".index") }
        guard !sealed.isEmpty else { return }
        let path = "/shard-\(shard)/\(sealed[Int(random.next() % UInt64(sealed.count))])"
        let (position, mask) = (random.next(), UInt8(1 << (random.next() % 8)))
        world.rottenDisk = victim
        world.tell("broker \(victim): a bit of \(path) changes")
        disk.alter(path) { bytes in
            if !bytes.isEmpty { bytes[Int(position % UInt64(bytes.count))] ^= mask }
        }
    }

    /// Changes a byte of any file on any disk.
    func rotAnywhere() {
        let disk = world.brokers[Int(random.next() % UInt64(world.brokers.count))].files
        let shard = Int(random.next() % UInt64(world.options.shardCount))
        guard let names = try? disk.list("/shard-\(shard)").sorted(), !names.isEmpty else { return }
        let path = "/shard-\(shard)/\(names[Int(random.next() % UInt64(names.count))])"
        let (position, mask) = (random.next(), UInt8(1 << (random.next() % 8)))
        disk.alter(path) { bytes in
            if !bytes.isEmpty { bytes[Int(position % UInt64(bytes.count))] ^= mask }
        }
    }

    /// Ends the victim's process, and replaces its disk as soon as nothing depends on it; asks again until then.
    func replace() {
        guard !isReplacing else { return }
        isReplacing = true
        world.broker(victim).crash(losing: .nothing)
        crashedAt = world.scheduler.now
        replaceWhenSafe()
    }

    private func replaceWhenSafe() {
        guard isReplaceable else {
            return world.scheduler.after(.milliseconds(20)) { [weak self] in self?.replaceWhenSafe() }
        }
        isReplacing = false
        world.rottenDisk = nil
        world.broker(victim).replaceDisk()
        onReplaced?(victim)
    }

    /// Longer than a message may be under way.
    private static let patience = TimeSpan.seconds(10)

    /// All others run and follow one leader of a term that the victim has not passed: its votes are of terms that are
    /// decided. Or it has passed them alone, and so has voted for itself, and nothing of that is under way any more.
    /// And they hold on their disks all that the victim has in common with that leader: nothing is committed by its
    /// acknowledgements alone.
    private var isReplaceable: Bool {
        let others = world.brokers.filter { $0.id != victim }
        guard others.allSatisfy({ $0.isRunning && !$0.isHeldUp }) else { return false }
        let lost = world.broker(victim).reports
        return (0..<world.options.shardCount).allSatisfy { shard in
            let reports = others.compactMap { $0.broker?.shardReports[shard] }
            guard let status = reports.first?.status, let leader = status.leader, leader != victim,
                reports.allSatisfy({ $0.status.term == status.term && $0.status.leader == leader }),
                others.allSatisfy({ $0.logs[shard].lastTerm == status.term }),
                let end = world.broker(leader).reports.first(where: { Int($0.shard.rawValue) == shard })?.lastIndex
            else { return false }
            guard !lost.isEmpty else { return true }
            let common = min(lost[shard].flushedIndex, end)
            let isDecided =
                lost[shard].status.term <= status.term || world.scheduler.now - crashedAt > Self.patience
            return isDecided && reports.allSatisfy { $0.flushedIndex >= common }
        }
    }
}
