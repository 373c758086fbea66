/// What a configuration belongs to, as DescribeConfigs and the requests that alter configurations number it.
public enum ConfigResourceType {
    public static let topic: Int8 = 2
    public static let broker: Int8 = 4
    public static let brokerLogger: Int8 = 8
    public static let clientMetrics: Int8 = 16
    public static let group: Int8 = 32
}
