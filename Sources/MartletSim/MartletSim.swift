import ArgumentParser
import Basics
import Glibc
import Simulation

@main
struct MartletSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet-sim",
        abstract: "Runs simulated clusters whose faults and clients follow from a seed.",
        discussion: """
            One seed is one world: brokers, disks, network, clocks and clients in one thread and in simulated time. \
            The same seed gives the same world; a seed that fails here fails everywhere.
            """)

    @Option(help: "Run the world of this seed and tell all about it.")
    var seed: UInt64?

    @Option(help: "Run the worlds of a range of seeds: '1..100'.")
    var seeds: SeedRange?

    @Flag(help: "A seed is the life of one log, which is stopped at every call to its disk and recovered.")
    var crashStates = false

    @Option(help: "Seconds of simulated time with faults.")
    var duration: Int64 = 20

    @Option(help: "Worlds that run at once.")
    var jobs = 1

    @Flag(help: "End with the first world that fails.")
    var untilFailure = false

    @Flag(help: .hidden)
    var brief = false

    @Flag(help: "Print what happens while it happens.")
    var trace = false

    @Flag(help: "When the world fails, look for a smaller one that fails too.")
    var shrink = false

    @OptionGroup(title: "Instead of what the seed draws")
    var overrides: Overrides

    func validate() throws {
        guard (seed == nil) != (seeds == nil) else { throw ValidationError("Give either --seed or --seeds.") }
        guard duration > 0, duration <= 86_400 else { throw ValidationError("--duration is from 1 to 86400.") }
        guard jobs > 0, jobs <= 64 else { throw ValidationError("--jobs is from 1 to 64.") }
    }

    func run() throws {
        if brief { alarm(WorldProcess.secondsMax) }
        if let seed {
            try crashStates ? runCrashStates(seed) : runWorld(seed)
        } else if let seeds {
            let arguments = crashStates ? ["--crash-states"] : ["--duration", "\(duration)"] + overrides.arguments
            let sweep = Sweep(
                seeds: seeds.range, jobs: jobs, stopsAtFailure: untilFailure, isOfWorlds: !crashStates,
                arguments: arguments)
            guard sweep.run() else { throw ExitCode.failure }
        }
    }

    private func runCrashStates(_ seed: UInt64) throws {
        var states = CrashStates(seed: seed)
        states.run()
        guard !brief else { return print(WorldProcess.Report(states).line) }
        print("\(states.count) states, \(states.problem.map { "VIOLATION \($0)" } ?? "everything held")")
        if states.problem != nil { throw ExitCode.failure }
    }

    private func runWorld(_ seed: UInt64) throws {
        var options = ExperimentOptions(seed: seed, duration: .seconds(duration))
        overrides.apply(to: &options)
        guard !brief else {
            return print(WorldProcess.Report(Experiment(options).run()).line)
        }
        print(options)
        let experiment = Experiment(options)
        if trace { experiment.world.onEvent = { print($0) } }
        let report = experiment.run()
        print(report.summary)
        guard report.violation != nil else { return }
        if shrink {
            var shrinker = Shrinker(report)
            shrinker.run()
            print("\nthe smallest world found that fails:\n\(shrinker.smallest.options)\n\(shrinker.smallest.summary)")
            print(shrinker.smallest.options.replayCommand)
        }
        throw ExitCode.failure
    }
}

/// "first..last", both included.
struct SeedRange: ExpressibleByArgument {
    let range: ClosedRange<UInt64>

    init?(argument: String) {
        let ends = argument.split(separator: ".", omittingEmptySubsequences: true).map { UInt64($0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else { return nil }
        range = first...last
    }
}

extension ExperimentReport {
    var summary: String {
        """
        \(steps) steps in \(virtualTime.nanoseconds / 1_000_000_000) simulated seconds, \(faults) faults, \
        \(elections) terms with a leader, \(blocksApplied) blocks
        \(sent) records sent, \(acknowledged) acknowledged, \(read) read; \(delivered) read by groups, \
        \(committed) offsets committed; \(calls) calls, \(failedCalls) failed
        trace \(String(traceHash, radix: 16))
        \(violation.map { "VIOLATION \($0)" } ?? "everything held")
        """
    }
}
