import Foundation

/// One `martlet serve` as a child process, with its log in a file.
///
/// Owner: the demo, one task at a time.
final class BrokerProcess {
    let id: Int
    let port: Int
    let dataDirectory: String
    private let arguments: [String]
    private let logPath: String
    private var process: Process?

    init(id: Int, port: Int, peerPort: Int, cluster: String, directory: String) {
        self.id = id
        self.port = port
        dataDirectory = "\(directory)/broker-\(id)"
        logPath = "\(directory)/broker-\(id).log"
        arguments = [
            "serve", "--node-id", "\(id)", "--data-dir", dataDirectory, "--listen", "127.0.0.1:\(port)",
            "--peer-listen", "127.0.0.1:\(peerPort)", "--cluster", cluster, "--log-level", "info",
        ]
    }

    var pid: Int32? { process?.processIdentifier }

    func start() throws {
        let manager = FileManager.default
        if !manager.fileExists(atPath: logPath) { _ = manager.createFile(atPath: logPath, contents: nil) }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: logPath))
        try output.seekToEnd()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        self.process = process
    }

    /// SIGKILL: the process gets no chance to write anything.
    func kill() {
        guard let process else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }

    /// SIGTERM, and wait for the end.
    func stop() {
        guard let process else { return }
        process.terminate()
        process.waitUntilExit()
        self.process = nil
    }

    /// The last lines of the broker's own log, for a failure report.
    func lastLogLines(_ count: Int) -> String {
        let text = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(count).joined(separator: "\n")
    }
}
