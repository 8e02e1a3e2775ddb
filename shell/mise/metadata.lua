-- Environment plugin of mise: `_.atmos-wrap` in the `[env]` of a mise.toml.
-- Install it with: mise plugin link atmos-wrap "$(atmos-wrap hook mise)"
PLUGIN = {
    name = "atmos-wrap",
    version = "1.0.0",
    description = "The pointers of the identity that atmos-wrap finds for a directory",
}
