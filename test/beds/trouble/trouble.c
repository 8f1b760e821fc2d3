// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0

/* What a kernel complains about, caused by a word that is written to /sys/module/trouble/parameters/now. */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

/* Seconds that a loop holds its CPU. */
static int seconds = 30;
module_param(seconds, int, 0644);

static noinline void spin(void)
{
	unsigned long ends = jiffies + seconds * HZ;

	while (time_before(jiffies, ends))
		cpu_relax();
}

static noinline void touch(unsigned long address)
{
	*(volatile int *)address = 1;
}

static noinline void add_twice(void)
{
	LIST_HEAD(list);
	struct list_head one;

	list_add(&one, &list);
	list_add(&one, &list);
}

static atomic_t warners;
static DECLARE_COMPLETION(warned);

static int warner(void *unused)
{
	int n;

	for (n = 0; n < 3; n++) {
		WARN(1, "trouble %d on purpose", n);
		schedule();
	}
	if (atomic_dec_and_test(&warners))
		complete(&warned);
	return 0;
}

/* One on each CPU, at the same time; done when all are. */
static void warn_everywhere(void)
{
	struct task_struct *task;
	int cpu;

	reinit_completion(&warned);
	/* Our own counts as well, so that the first to be done is not the last. */
	atomic_set(&warners, 1);
	for_each_online_cpu(cpu) {
		task = kthread_create(warner, NULL, "warner/%d", cpu);
		if (IS_ERR(task))
			continue;
		atomic_inc(&warners);
		kthread_bind(task, cpu);
		wake_up_process(task);
	}
	if (!atomic_dec_and_test(&warners))
		wait_for_completion(&warned);
}

static noinline int cause(const char *what, const struct kernel_param *param)
{
	if (sysfs_streq(what, "warning")) {
		WARN(1, "trouble on purpose");
	} else if (sysfs_streq(what, "warnings")) {
		warn_everywhere();
	} else if (sysfs_streq(what, "bug")) {
		BUG();
	} else if (sysfs_streq(what, "oops")) {
		touch(0x10);
	} else if (sysfs_streq(what, "fault")) {
		touch((unsigned long)-4096 * 16);
	} else if (sysfs_streq(what, "list")) {
		add_twice();
	} else if (sysfs_streq(what, "atomic")) {
		preempt_disable();
		get_cpu();
		schedule_timeout_uninterruptible(1);
		put_cpu();
		preempt_enable();
	} else if (sysfs_streq(what, "softlockup")) {
		preempt_disable();
		spin();
		preempt_enable();
	} else if (sysfs_streq(what, "stall")) {
		rcu_read_lock();
		spin();
		rcu_read_unlock();
	} else if (sysfs_streq(what, "hardlockup")) {
		unsigned long n, flags;

		local_irq_save(flags);
		for (n = 0; n < seconds * 1000UL; n++)
			mdelay(1);
		local_irq_restore(flags);
	} else if (sysfs_streq(what, "hang")) {
		schedule_timeout_uninterruptible(seconds * HZ);
	} else if (sysfs_streq(what, "panic")) {
		panic("trouble on purpose");
	} else {
		return -EINVAL;
	}
	return 0;
}

static const struct kernel_param_ops trouble_ops = { .set = cause };
module_param_cb(now, &trouble_ops, NULL, 0200);

MODULE_DESCRIPTION("Causes what a kernel complains about");
MODULE_LICENSE("GPL v2");
