package protocol

import "math"

// studentWithin is the chance that Student's t with so many degrees of freedom is at most x in size.
func studentWithin(x, degrees float64) float64 {
	return 1 - betaPart(degrees/(degrees+x*x), degrees/2, 0.5)
}

// studentBound is the size that Student's t exceeds with a chance of tail on each side.
func studentBound(tail, degrees float64) float64 {
	low, high := 0.0, 1.0
	for studentWithin(high, degrees) < 1-2*tail {
		low, high = high, 2*high
	}
	for range 60 {
		middle := (low + high) / 2
		if studentWithin(middle, degrees) < 1-2*tail {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// betaPart is the regularised incomplete beta function: the share of Beta(a, b) that lies below x. It is computed as a continued fraction, on the side where
// that converges quickly.
func betaPart(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	if x > (a+1)/(a+b+2) {
		return 1 - betaPart(1-x, b, a)
	}
	sum := func(v float64) float64 { g, _ := math.Lgamma(v); return g }
	front := math.Exp(sum(a+b) - sum(a) - sum(b) + a*math.Log(x) + b*math.Log1p(-x))
	// From the innermost term outward: each is 1 + d/(the next).
	terms := 40 + 2*int(math.Sqrt(max(a, b)))
	value := 1.0
	for n := terms; n >= 1; n-- {
		m := float64(n / 2)
		d := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		if n%2 == 1 {
			d = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		value = 1 + d/value
	}
	return front / (a * value)
}
