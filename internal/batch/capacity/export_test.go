package capacity

// Lanes are the rows, for tests that lose them.
var Lanes = lanes
