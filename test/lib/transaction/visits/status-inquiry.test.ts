import { expect, it } from 'vitest';
import { askStatus } from '../../../../lib/transaction/visits/status-inquiry.ts';
import { ControlStub } from '../../../support/control-stub.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

it('resolves with what is answered, whatever that is, and closes', async () => {
  await using _descriptors = new DescriptorCheck();
  using folder = new TemporaryFolder();
  const path = folder.file('control.sock');
  await using _stub = await ControlStub.answering(path, ['STATUS', { pid: 7, of: 'another program' }]);
  expect(await askStatus(path, 30_000)).toEqual({ pid: 7, of: 'another program' });
});

it('names the path where nothing is answered', async () => {
  using folder = new TemporaryFolder();
  const path = folder.file('control.sock');
  await using _stub = await ControlStub.at(path, () => {});
  await expect(askStatus(path, 20)).rejects.toMatchObject({
    code: 'ERR_HANDOFF_TIMEOUT',
    message: `The process on ${path} has not answered within 20 ms.`,
  });
});
