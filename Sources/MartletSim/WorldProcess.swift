import Basics
import Glibc
import Simulation
import Synchronization

/// A world, or the life of a log, in a process of its own, and the line in which it reports.
enum WorldProcess {
    /// Real time a world may take before it counts as one that never ends.
    static let secondsMax: UInt32 = 300

    /// What a sweep adds up.
    struct Report {
        /// Of the clients of a world; of a log's life, the states that were judged.
        var operations: Int
        var virtualSeconds: Int64
        var violation: String?

        init(_ report: ExperimentReport) {
            operations = report.operations
            virtualSeconds = report.virtualTime.nanoseconds / 1_000_000_000
            violation = report.violation
        }

        init(_ states: CrashStates) {
            operations = states.count
            virtualSeconds = 0
            violation = states.problem
        }

        /// Operations, seconds, and the violation if there is one, separated by spaces.
        var line: String { "\(operations) \(virtualSeconds) \(violation ?? "")" }

        init?(line: String) {
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count >= 2, let operations = Int(parts[0]), let seconds = Int64(parts[1]) else { return nil }
            self.operations = operations
            virtualSeconds = seconds
            violation = parts.count > 2 ? parts[2].trimmingNewline : nil
        }
    }

    struct Outcome {
        var report: Report?
        /// Nil when everything held.
        var failure: String?
        var isTrap = false
    }

    /// Runs this program with other arguments and waits for its end. What it says about a trap goes to the terminal.
    static func run(_ arguments: [String]) -> Outcome {
        guard let (process, output) = spawning.withLock({ _ in start(arguments) }) else {
            return Outcome(failure: "no process: errno \(errno)")
        }
        defer { close(output) }
        let line = readAll(output)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let report = Report(line: line)
        if status & 0x7F == SIGALRM { return Outcome(failure: "no end within \(secondsMax) s") }
        if status & 0x7F != 0 { return Outcome(failure: "ended by signal \(status & 0x7F): \(line)", isTrap: true) }
        guard let report else { return Outcome(failure: "no report: \(line)") }
        return Outcome(report: report, failure: report.violation)
    }

    /// One at a time: a process that inherited the end of another one's pipe would keep it open.
    private static let spawning = Mutex(())

    private static func start(_ arguments: [String]) -> (process: pid_t, output: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        defer { close(ends[1]) }
        guard let process = spawn(arguments, output: ends[1]) else {
            close(ends[0])
            return nil
        }
        return (process, ends[0])
    }

    private static func spawn(_ arguments: [String], output: Int32) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        var argv = (["martlet-sim"] + arguments).map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        var process = pid_t()
        return posix_spawn(&process, "/proc/self/exe", &actions, nil, &argv, environ) == 0 ? process : nil
    }

    private static func readAll(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece[..<count]
        }
    }
}

extension Substring {
    fileprivate var trimmingNewline: String? {
        let line = prefix { $0 != "\n" }
        return line.isEmpty ? nil : String(line)
    }
}
