"""The reference network: Life2Vec with masked softmax attention.

Shapes: B lives, T padded positions, d the width, V tokens in the vocabulary.
"""

from torch import Tensor, nn

from seqsae_life2vec.blocks import Block
from seqsae_life2vec.embedding import Embedding
from seqsae_life2vec.heads import OrderHead, PlainHead, TokenHead
from seqsae_life2vec.shape import Shape, Start


class Life2VecEncoder(nn.Module):
    """The network of Life2Vec (Savcisens et al. 2024, Nature Computational Science 4, 43; code: SocialComplexityLab/life2vec).

        x = token + a_age * age + a_time * time + a_segment * segment
        x = x + a_i * attention_i(x);  x = x + b_i * mlp_i(x)        for each block i; a, b learnt scalars (ReZero)

    There is no norm in it and no index of the position. The one difference in kind is the attention: masked softmax over
    all real positions, where the original has local windows and FAVOR+ (those are in seqsae_life2vec.compat), so that
    padding changes no real row.
    """

    def __init__(self, shape: Shape, start: Start | None = None):
        super().__init__()
        start = start or Start()
        self.shape = shape
        self.embedding = Embedding(shape, start)
        self.blocks = nn.ModuleList(Block(shape, start) for _ in range(shape.n_blocks))
        self.head = PlainHead(shape) if shape.head == "plain" else TokenHead(shape, self.embedding.token)
        self.order = OrderHead(shape) if shape.order_head else None

    def hidden(self, real: Tensor, **channels: Tensor) -> Tensor:
        """[B, T, d] after the last block; `real` [B, T] bool is False on padding."""
        x = self.embedding(**channels)
        for block in self.blocks:
            x = block(x, real)
        return x

    def forward(self, real: Tensor, **channels: Tensor) -> Tensor:
        """Logits [B, T, V]."""
        return self.head(self.hidden(real, **channels))


class Person(nn.Module):
    """The same network read once a life: `person` gives its [CLS] state [B, 1, d]; out come the order's logits [B, 1, 3].

    Without an order head the person vector itself comes out.
    """

    def __init__(self, encoder: Life2VecEncoder):
        super().__init__()
        self.encoder, self.person = encoder, nn.Identity()

    def forward(self, real: Tensor, **channels: Tensor) -> Tensor:
        person = self.person(self.encoder.hidden(real, **channels)[:, :1])
        return person if self.encoder.order is None else self.encoder.order(person)
