// Command hello is all that is in the images of these tests.
package main

import (
	"fmt"
	"os"
)

func main() {
	_, err := os.Stat("/etc/passwd")
	fmt.Println("hello from an image, with", len(os.Args)-1, "arguments and a machine's users:", err == nil)
}
