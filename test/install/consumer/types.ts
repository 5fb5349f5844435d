import { losses, models, type nn, ops, optim, type Shape, type Tensor, tensor } from 'receptive';

const model: nn.Module = models.lenet5();
const x: Tensor = tensor(new Float32Array(28 * 28), [1, 28, 28, 1]);
const shape: Shape = ops.softmax(x).shape;
losses.crossEntropy(x, tensor(new Int32Array(1), [1])).backward();
new optim.SGD(model.parameters(), { lr: shape.length }).step();
// @ts-expect-error: a shape is no tensor
ops.relu(shape);
