import { describe, expect, it } from 'vitest';
import { checkName, Names } from '../../../../lib/servers/estate/names.ts';

describe('Names', () => {
  it('are given once, also while what has the first is still being made', async () => {
    const names = new Names();
    const both = await Promise.allSettled([
      names.naming('web', async (name) => `made ${name}`),
      names.naming('web', async () => 'never'),
    ]);
    expect(both).toMatchObject([
      { status: 'fulfilled', value: 'made web' },
      { status: 'rejected', reason: { code: 'ERR_HANDOFF_ALREADY_OWNED' } },
    ]);
  });

  it('are free again where nothing came of it, and when they are released', async () => {
    const names = new Names();
    await expect(names.naming('web', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await names.naming('web', async () => {});
    names.release('web');
    await names.naming('web', async () => {});
  });

  it('count on for those who have none of their own', () => {
    const names = new Names();
    expect([names.reserveFree('tcp-80'), names.reserveFree('tcp-80'), names.free('tcp-80')]).toEqual([
      'tcp-80',
      'tcp-80#2',
      'tcp-80#3',
    ]);
    names.release('tcp-80#2');
    expect(names.free('tcp-80')).toBe('tcp-80#2');
    expect(() => checkName('tcp-80#2')).not.toThrow();
  });
});
