/// How a topic's configuration changes.
extension TopicConfig {
    /// The elements of a list, as Kafka writes it.
    static func elements(of list: String) -> [String] {
        list.split { $0 == "," || $0 == " " }.map(String.init)
    }

    /// The configuration after `changes`, carried out in their order.
    func altered(by changes: [AlterTopicConfigsCommand.Change], replacingAll: Bool) -> TopicConfig {
        var values = replacingAll ? [:] : overrides
        for change in changes {
            switch change.operation {
            case .set: values[change.name] = change.value
            case .delete: values[change.name] = nil
            case .append, .subtract:
                let present = Self.elements(of: values[change.name] ?? Self.keysByName[change.name]?.defaultValue ?? "")
                let named = Self.elements(of: change.value)
                let kept = change.operation == .append
                    ? present + named.filter { !present.contains($0) }
                    : present.filter { !named.contains($0) }
                values[change.name] = kept.joined(separator: ",")
            }
        }
        return TopicConfig(overrides: values)
    }

    /// Why `change` cannot be made to this configuration, in words for the person who tried; nil when it can.
    func reasonToRefuse(_ change: AlterTopicConfigsCommand.Change) -> String? {
        switch change.operation {
        case .delete:
            return Self.keysByName[change.name] == nil ? "Unknown topic config name: \(change.name)" : nil
        case .append, .subtract:
            if let key = Self.keysByName[change.name], key.kind != .list {
                return "Config value append and subtract are for lists, and \(change.name) is none"
            }
        case .set: break
        }
        return Self.reasonToRefuse(change.name, altered(by: [change], replacingAll: false).overrides[change.name])
    }
}
