package fleet

// What tests outside of the package need to put the store into a state that takes long to reach.
var Members = members

// Vanished is why an instance left that the cloud stopped showing.
const Vanished = vanished
