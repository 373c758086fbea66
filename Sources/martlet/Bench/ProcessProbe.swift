import Foundation
import Glibc

/// What the system says of a process, from /proc.
struct ProcessUsage: Encodable, Sendable {
    var pid: Int32
    /// User and system time since the process began.
    var cpuSeconds: Double
    /// The most memory it ever had resident.
    var peakResidentBytes: Int

    init?(pid: Int32) {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            // The second field is the name in parentheses, which may hold anything.
            let nameEnd = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        self.pid = pid
        cpuSeconds = (user + system) / Double(sysconf(CInt(_SC_CLK_TCK)))
        let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let kibibytes = peak?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
        peakResidentBytes = (kibibytes ?? 0) * 1_024
    }
}

/// Finds the processes that listen on ports of this machine.
enum ListeningProcesses {
    /// Only processes that may be looked into are found: one's own, or all for root.
    static func find(ports: Set<UInt16>) -> [Int32] {
        let sockets = Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap { path in
            inodes(in: (try? String(contentsOfFile: path, encoding: .utf8)) ?? "", listeningOn: ports)
        })
        guard !sockets.isEmpty, let processes = try? FileManager.default.contentsOfDirectory(atPath: "/proc") else {
            return []
        }
        return processes.compactMap { Int32($0) }.filter { pid in
            let directory = "/proc/\(pid)/fd"
            let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
            return descriptors.contains { descriptor in
                let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\(descriptor)")
                return link.map { sockets.contains($0) } ?? false
            }
        }.sorted()
    }

    /// The sockets in a table of /proc/net that listen on one of the ports, as the links in /proc/PID/fd name them.
    static func inodes(in table: String, listeningOn ports: Set<UInt16>) -> [String] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            // Local address, state (0A is LISTEN) and inode.
            guard fields.count > 9, fields[3] == "0A", let port = fields[1].split(separator: ":").last,
                let number = UInt16(port, radix: 16), ports.contains(number)
            else { return nil }
            return "socket:[\(fields[9])]"
        }
    }
}
