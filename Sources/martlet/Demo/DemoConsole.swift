import Foundation

/// What the demo says: lines on standard output, and one line on a terminal that changes as it goes.
enum DemoConsole {
    static let isTerminal = isatty(STDERR_FILENO) == 1

    static func line(_ text: String) {
        clearProgress()
        print(text)
        fflush(nil)
    }

    static func progress(_ text: String) {
        guard isTerminal else { return }
        FileHandle.standardError.write(Data("\r\u{1B}[2K\(text)".utf8))
    }

    static func clearProgress() {
        guard isTerminal else { return }
        FileHandle.standardError.write(Data("\r\u{1B}[2K".utf8))
    }

    static func count(_ value: Int) -> String {
        var digits = String(value)
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: digits.index(digits.startIndex, offsetBy: position))
            position -= 3
        }
        return digits
    }

    static func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1e6) }

    static func milliseconds(_ span: Duration) -> String {
        String(format: "%.1f ms", Double(span.components.seconds) * 1e3 + Double(span.components.attoseconds) / 1e15)
    }

    static func seconds(_ span: Duration) -> Double {
        Double(span.components.seconds) + Double(span.components.attoseconds) / 1e18
    }
}
