import ArgumentParser
import Basics
import Simulation

/// What the command line says instead of the seed: enough to run again what shrinking has found.
struct Overrides: ParsableArguments {
    @Option(help: "Kinds of faults, separated by commas, or 'none'. One of: \(Overrides.kinds).")
    var faults: FaultList?

    @Option(help: "Idempotent producers.")
    var producers: Int?

    @Option(help: "Producers that send everything once.")
    var plainProducers: Int?

    @Option(help: "Consumers.")
    var consumers: Int?

    @Option(help: "Groups of the classic protocol.")
    var classicGroups: Int?

    @Option(help: "Groups of the new protocol.")
    var consumerGroups: Int?

    @Option(help: "Groups some of whose members speak the classic and some the new protocol.")
    var mixedGroups: Int?

    @Option(help: "Most members of a group.")
    var groupMembers: Int?

    @Option(help: "Whether records are deleted, 0 or 1.")
    var deletions: Int?

    @Option(help: "Whether configurations are changed, 0 or 1.")
    var configurations: Int?

    @Option(help: "Topics at the start.")
    var topics: Int?

    @Flag(help: "Three brokers, and producers that take five times as long: many worlds, and long ones.")
    var lite = false

    static var kinds: String { FaultKind.allCases.map(\.rawValue).joined(separator: ", ") }

    func validate() throws {
        for case let (_, count?) in counts where !(0...100).contains(count) {
            throw ValidationError("Counts of clients and topics are from 0 to 100.")
        }
    }

    /// These overrides as arguments of another process.
    var arguments: [String] {
        var arguments = faults.map { ["--faults", $0.argument] } ?? []
        for case (let name, let count?) in counts { arguments += ["--\(name)", "\(count)"] }
        return lite ? arguments + ["--lite"] : arguments
    }

    private var counts: [(name: String, count: Int?)] {
        [
            ("producers", producers), ("plain-producers", plainProducers), ("consumers", consumers), ("topics", topics),
            ("classic-groups", classicGroups), ("consumer-groups", consumerGroups), ("mixed-groups", mixedGroups),
            ("group-members", groupMembers), ("deletions", deletions), ("configurations", configurations),
        ]
    }

    func apply(to options: inout ExperimentOptions) {
        if lite {
            options.world.brokerCount = 3
            options.workload.pauseMax = options.workload.pauseMax * 5
        }
        if let faults { options.faults.kinds = faults.kinds }
        if let producers { options.workload.idempotentProducers = producers }
        if let plainProducers { options.workload.plainProducers = plainProducers }
        if let consumers { options.workload.consumers = consumers }
        if let topics { options.workload.topics = topics }
        if let classicGroups { options.workload.classicGroups = classicGroups }
        if let consumerGroups { options.workload.consumerGroups = consumerGroups }
        if let mixedGroups { options.workload.mixedGroups = mixedGroups }
        if let groupMembers { options.workload.groupMembersMax = groupMembers }
        if let deletions { options.workload.deletesRecords = deletions > 0 }
        if let configurations { options.workload.changesConfigurations = configurations > 0 }
    }
}

/// "crash,pause" or "none".
struct FaultList: ExpressibleByArgument {
    let kinds: [FaultKind]

    init?(argument: String) {
        if argument == "none" {
            kinds = []
            return
        }
        let names = argument.split(separator: ",").map(String.init)
        kinds = names.compactMap(FaultKind.init)
        if kinds.count != names.count { return nil }
    }

    var argument: String { kinds.isEmpty ? "none" : kinds.map(\.rawValue).joined(separator: ",") }
}

extension ExperimentOptions {
    /// The command that runs this world again, as far as it differs from what its seed draws.
    var replayCommand: String {
        let drawn = ExperimentOptions(seed: seed, duration: duration)
        var command = "martlet-sim --seed \(seed) --duration \(duration.nanoseconds / 1_000_000_000)"
        if faults.kinds != drawn.faults.kinds {
            let kinds = faults.kinds.map(\.rawValue).joined(separator: ",")
            command += " --faults \(kinds.isEmpty ? "none" : kinds)"
        }
        if workload.pauseMax != drawn.workload.pauseMax { command += " --lite" }
        let counts = [
            ("producers", workload.idempotentProducers, drawn.workload.idempotentProducers),
            ("plain-producers", workload.plainProducers, drawn.workload.plainProducers),
            ("consumers", workload.consumers, drawn.workload.consumers),
            ("topics", workload.topics, drawn.workload.topics),
            ("classic-groups", workload.classicGroups, drawn.workload.classicGroups),
            ("consumer-groups", workload.consumerGroups, drawn.workload.consumerGroups),
            ("mixed-groups", workload.mixedGroups, drawn.workload.mixedGroups),
            ("group-members", workload.groupMembersMax, drawn.workload.groupMembersMax),
            ("deletions", workload.deletesRecords ? 1 : 0, drawn.workload.deletesRecords ? 1 : 0),
            ("configurations", workload.changesConfigurations ? 1 : 0, drawn.workload.changesConfigurations ? 1 : 0),
        ]
        for (name, count, drawnCount) in counts where count != drawnCount { command += " --\(name) \(count)" }
        return command
    }
}
