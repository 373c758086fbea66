/// A line on standard error that is written over again and again; nothing unless a person watches.
struct ProgressLine {
    private let isShown = StandardStreams.isErrorTerminal
    private let interval: Duration
    private var next = ContinuousClock.now
    private var isOpen = false

    init(interval: Duration = .milliseconds(250)) {
        self.interval = interval
    }

    /// Shows the text, unless the last one is not old enough yet.
    mutating func show(_ text: () -> String) {
        guard isShown, ContinuousClock.now >= next else { return }
        next = .now + interval
        isOpen = true
        // Back to the margin, the text, and the rest of the line cleared.
        StandardStreams.printError("\r\(text())\u{1B}[K")
    }

    mutating func end() {
        if isOpen { StandardStreams.printError("\r\u{1B}[K") }
        isOpen = false
    }
}
