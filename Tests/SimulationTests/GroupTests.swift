import Basics
import KafkaWire
import Testing

@testable import Simulation

@Suite("Groups in worlds")
struct GroupTests {
    @Test("without faults, groups read everything that is sent and commit it")
    func calmWorld() {
        var options = ExperimentOptions.brief(seed: 1)
        options.duration = .seconds(10)
        options.faults.kinds = []
        options.world.network = SimulatedNetwork.Options()
        options.workload.changesTopics = false
        options.workload.plainProducers = 0
        options.workload.topics = 1
        options.workload.classicGroups = 1
        options.workload.consumerGroups = 1
        options.workload.mixedGroups = 1
        options.workload.deletesRecords = false
        let report = Experiment(options).run()
        #expect(report.violation == nil)
        #expect(report.delivered >= 3 * report.sent)
        #expect(report.committed > 10)
    }

    // MARK: The checkers

    private static let lane = Lane(topic: TopicID(high: 7, low: 7), partition: 0)

    private static func world() -> (World, GroupHistory) {
        let world = World(seed: 1, options: World.Options())
        return (world, GroupHistory(in: world, History(in: world)))
    }

    @Test("an older offset than one that was acknowledged is found out")
    func committedOffsetGoesBack() {
        let (world, groups) = Self.world()
        let old = groups.offsets.begin(3, of: Self.lane, group: "g")
        groups.offsets.end(old, .acknowledged)
        let new = groups.offsets.begin(5, of: Self.lane, group: "g")
        groups.offsets.end(new, .unknown)
        func read(_ offset: Int64, _ number: Int) {
            let floors = groups.offsets.floors(of: [Self.lane], group: "g")
            groups.offsets.read(offset, "\(number)", of: Self.lane, group: "g", floor: floors[Self.lane] ?? 0)
        }
        read(3, old)
        read(5, new)
        #expect(world.violation == nil)
        read(3, old)
        #expect(world.violation?.contains("older than another one") == true)
    }

    @Test("an offset that vanishes, unless it was deleted, is found out", arguments: [false, true])
    func committedOffsetVanishes(isDeleted: Bool) {
        let (world, groups) = Self.world()
        let number = groups.offsets.begin(3, of: Self.lane, group: "g")
        groups.offsets.end(number, .acknowledged)
        if isDeleted {
            let deletion = groups.offsets.beginDeletion(of: nil, group: "g")
            groups.offsets.endDeletion(deletion, isAcknowledged: true)
        }
        let floors = groups.offsets.floors(of: [Self.lane], group: "g")
        groups.offsets.read(-1, "", of: Self.lane, group: "g", floor: floors[Self.lane] ?? 0)
        #expect((world.violation == nil) == isDeleted)
    }

    @Test("an offset whose commit was refused is found out")
    func refusedCommitCounts() {
        let (world, groups) = Self.world()
        let number = groups.offsets.begin(3, of: Self.lane, group: "g")
        groups.offsets.end(number, .refused)
        groups.offsets.read(3, "\(number)", of: Self.lane, group: "g", floor: 0)
        #expect(world.violation?.contains("was refused") == true)
    }

    @Test("a partition that two members have is found out, unless one's session is over", arguments: [false, true])
    func partitionHasTwoOwners(isOver: Bool) {
        let (world, groups) = Self.world()
        let first = PartitionClaims.Claim("first", of: "g"), second = PartitionClaims.Claim("second", of: "g")
        groups.claims.take([Self.lane], for: first, until: world.scheduler.now + .seconds(3))
        world.run(for: .seconds(isOver ? 4 : 2))
        groups.claims.take([Self.lane], for: second, until: world.scheduler.now + .seconds(3))
        #expect((world.violation == nil) == isOver)
        #expect(groups.claims.isOvertaken(first, on: Self.lane))
        #expect(!groups.claims.isOvertaken(second, on: Self.lane))
    }

    @Test("records that a group leaves out are found out")
    func recordsAreLeftOut() {
        let (world, groups) = Self.world()
        groups.read("g", Self.lane, from: 0, to: 5)
        groups.read("g", Self.lane, from: 3, to: 8)
        #expect(world.violation == nil)
        groups.read("g", Self.lane, from: 9, to: 10)
        #expect(world.violation?.contains("nobody has read 8..<9") == true)
    }

    @Test("a generation that comes back is found out")
    func generationGoesBack() {
        let (world, groups) = Self.world()
        groups.generations.joined("g", 2, member: "a", leads: true, least: 0)
        groups.generations.joined("g", 1, member: "b", leads: false, least: 2)
        #expect(world.violation?.contains("generation 1 after 2") == true)
    }

    @Test("a beginning before an acknowledged deletion, or after all that was asked for, is found out")
    func logStart() {
        let world = World(seed: 1, options: World.Options())
        let starts = LogStarts(in: world)
        starts.ask(Self.lane, before: 4)
        starts.ask(Self.lane, before: 9)
        starts.acknowledge(Self.lane, before: 4, start: 4)
        #expect(starts.least(Self.lane) == 4)
        #expect(starts.most(Self.lane) == 9)
        starts.check(9, of: Self.lane, least: 4)
        #expect(world.violation == nil)
        starts.check(3, of: Self.lane, least: 4)
        #expect(world.violation?.contains("begin at 3") == true)
    }
}
