package cloud

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// plain is a provider without abilities; priced has one; wrapped is a decorator around either.
type plain struct{ Provider }

type priced struct{ plain }

func (priced) Prices(context.Context, string) ([]Price, error) { return []Price{{}}, nil }

type wrapped struct{ Provider }

func (w wrapped) Unwrap() Provider { return w.Provider }

func TestAnAbilityIsFoundThroughDecorators(t *testing.T) {
	pricer, ok := As[Pricer](wrapped{wrapped{priced{}}})
	if !ok {
		t.Fatal("the pricer inside two decorators was not found")
	}
	if prices, err := pricer.Prices(t.Context(), ""); err != nil || len(prices) != 1 {
		t.Errorf("got %v, %v", prices, err)
	}
	if _, ok := As[Pricer](priced{}); !ok {
		t.Error("the provider's own ability was not found")
	}
	for _, without := range []Provider{nil, plain{}, wrapped{plain{}}, wrapped{nil}} {
		if _, ok := As[Pricer](without); ok {
			t.Errorf("%T claims an ability that it does not have", without)
		}
	}
}

func TestAPoolKeyNamesTheProductUnlessItIsLinux(t *testing.T) {
	for product, want := range map[string]string{
		"": "m5.large/us-east-1a/spot", "Linux/UNIX": "m5.large/us-east-1a/spot", "Windows": "m5.large/us-east-1a/spot/Windows",
	} {
		market := Market{Region: "us-east-1", Zone: "us-east-1a", Type: "m5.large", Product: product, Lifecycle: Spot}
		if got := market.PoolKey(); got != want {
			t.Errorf("product %q: %q, want %q", product, got, want)
		}
	}
}

func TestARefusalIsFoundByTypeInsideAnotherError(t *testing.T) {
	err := fmt.Errorf("launch: %w", &Refusal{Kind: NoCapacity, Code: "InsufficientInstanceCapacity", Message: "None left."})
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Kind != NoCapacity || refusal.Error() != "InsufficientInstanceCapacity: None left." {
		t.Errorf("got %v", refusal)
	}
}
