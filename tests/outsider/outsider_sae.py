"""A stranger's architecture, offered to seqsae by name: ReLU, then the k largest, with no auxiliary loss."""

from torch.nn.functional import mse_loss

from seqsae.sae.base import SAE, Codes, Loss


class PlainTopK(SAE):
    """z = TopK(relu((x - b_dec) W_enc + b_enc)); L = mean (x - z W_dec - b_dec)^2."""

    OPTIONS = {"scale": 1.0}
    default_k = 4

    def codes(self, x):
        pre = self.options["scale"] * ((x - self.b_dec) @ self.W_enc + self.b_enc).relu()
        return Codes(*pre.topk(self.k, dim=1))

    def loss(self, x, state):
        codes = self.codes(x)
        loss = mse_loss(self.decode_normalised(codes), x)
        fired = codes.values.new_zeros(self.width).index_add(
            0, codes.indices.flatten(), codes.values.detach().flatten()
        )
        return Loss(loss, loss.detach(), loss.new_zeros(()), fired > 0)
