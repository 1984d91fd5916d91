//! Nothing but a home for tests: alone in a build, they see the runtime without any feature.
