import ArgumentParser

/// `martlet bench limits`.
struct BenchLimitsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "Measure this machine without a broker: flushed writes, loopback, checksum, compression.",
        discussion: """
            Example:
              martlet bench limits --dir ./martlet-data
            """
    )

    @Option(help: "Directory on the disk to be measured.")
    var dir = "."

    @Option(help: "Seconds for each kind of write.")
    var seconds = 2.0

    @Flag(help: "Print a JSON object.")
    var json = false

    func validate() throws {
        guard seconds > 0, seconds <= 600 else { throw ValidationError("--seconds must be between 0 and 600") }
    }

    func execute() async throws {
        let limits = try await MachineLimits.measure(directory: dir, seconds: seconds)
        print(json ? try JSONOutput.line(limits) : limits.text)
    }
}
